import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from prh.errors import InputError
from prh.provenance import digest, tree_digests
from prh.sources.datasets import COLUMNS, read_captions
from prh.sources.folder import make
from prh.sources.openmoji import KEYWORDS, caption_of, qualifying_emoji, read_keywords, render

KNOWN = {
    "🥇": {"en": ":1st_place_medal:", "status": 2},
    "☹️": {"en": ":frowning_face:", "status": 2},  # OpenMoji's file has no variation selector
    "☹": {"en": ":frowning_face:", "status": 4},
    "👋🏽": {"en": ":waving_hand_medium_skin_tone:", "status": 2},
    "🇫🇷": {"en": ":France:", "status": 2},
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿": {"en": ":England:", "status": 2},
    "🏁": {"en": ":chequered_flag:", "status": 2},
    "👩": {"en": ":woman:", "status": 2},
    "🏃‍♂️": {"en": ":man_running:", "status": 2},
    "🔴": {"en": ":red_circle:", "status": 2},
    "🆗": {"en": ":OK_button:", "status": 2},
    "🤖": {"en": ":robot:", "status": 2},
    "🦄": {"en": ":unicorn:", "status": 2},  # no drawing
}
DRAWINGS = ("1F947", "2639", "1F44B-1F3FD", "1F1EB-1F1F7", "1F3C1", "1F469", "1F534", "1F197", "1F916")


def test_which_emoji_qualify():
    available = {stem: f"svg/{stem}.svg" for stem in DRAWINGS}
    found = qualifying_emoji(KNOWN, available)
    assert found == {"1F947": "1st place medal", "2639": "frowning face", "1F916": "robot"}


def test_render_is_on_white_at_the_asked_size():
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><rect width="2" height="4" fill="#f00"/></svg>'
    pixels = np.asarray(render(svg, 32))
    assert pixels.shape == (32, 32, 3)
    assert pixels[16, 8].tolist() == [255, 0, 0]
    assert pixels[16, 24].tolist() == [255, 255, 255]


@pytest.fixture
def pictures(tmp_path):
    """A folder of twenty pictures with captions.csv."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(20):
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(folder / f"p{i:02d}.png")
        rows.append({"image": f"p{i:02d}.png", "caption": f"picture number {i}"})
    pd.DataFrame(rows).to_csv(folder / "captions.csv", index=False)
    return folder


def make_from(pictures, size, seed, out):
    """Make a data set of a folder: `size` pairs of it."""
    make(SimpleNamespace(path=pictures, size=size, licence="mine"), [], seed, out)


def test_folder(pictures, tmp_path):
    make_from(pictures, None, 0, tmp_path / "out")
    table = read_captions(tmp_path / "out")
    assert list(table.columns) == list(COLUMNS)
    assert table.caption.tolist() == [f"picture number {i}" for i in range(20)]
    assert (
        Image.open(tmp_path / "out" / table.image[3]).tobytes() == Image.open(pictures / "p03.png").tobytes()
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["pairs"] == 20
    assert manifest["files"] == {
        k: v for k, v in tree_digests(tmp_path / "out").items() if k != "manifest.json"
    }


def test_the_draw_follows_the_seed(pictures, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_from(pictures, 8, seed, tmp_path / name)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")
    assert len(read_captions(tmp_path / "c")) == 8


@pytest.mark.parametrize(
    "caption", ["x" * 100_000, "صورة قطة", "\u202eright to left", "emoji 🦄 and \u200d joiners"]
)
@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
def test_unusual_captions_are_kept(pictures, tmp_path, caption, begin):
    (pictures / "captions.csv").write_bytes(begin + f"image,caption\np00.png,{caption}\n".encode())
    make_from(pictures, None, 0, tmp_path / "out")
    assert read_captions(tmp_path / "out").caption.tolist() == [caption]


TABLE = {
    "robot_face": {
        "emoji": "🤖",
        "aliases": ("robot_face", "robot", "8-bit", ":)", "XD", "metal\xa0man", "12:00", "AI"),
    },
    "frowning": {"emoji": "☹️", "aliases": ("sad",)},
    "frowning_face": {"emoji": "☹️", "aliases": ("frowning_face", ":(")},
}


def wheel_of_keywords(path, text):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(KEYWORDS, text)
    return path


def test_keywords_are_words(tmp_path):
    """No emoticon, no number; of two entries for one drawing the last counts; the selector is not part of a name."""
    found = read_keywords(wheel_of_keywords(tmp_path / "a.whl", f'"""Aliases."""\nEMOJIS = {TABLE!r}\n'))
    assert found == {"1F916": {"robot face", "robot", "metal man", "AI"}, "2639": {"frowning face"}}


@pytest.mark.parametrize(
    "text",
    [
        "import os\n",
        "EMOJIS = dict(a=1)\n",
        "EMOJIS = {'a': 1}\n",
        "EMOJIS = {'a': {}}\n",
        "EMOJIS = (",
        "x = 1\n",
    ],
)
def test_keywords_that_are_no_table(tmp_path, text):
    with pytest.raises(InputError, match=f"a.whl: {KEYWORDS} is not the table of keywords"):
        read_keywords(wheel_of_keywords(tmp_path / "a.whl", text))


def test_captions_of_names_and_keywords():
    words = {"robot face", "robot", "metal man", "AI", "Robot-Face"}
    assert caption_of("robot face", words, None) == "robot face"
    assert caption_of("robot face", words, 0) == "A drawing of robot face."
    assert caption_of("robot face", words, 2) == "A drawing of robot face. It is about AI, metal man."
    assert caption_of("robot face", {"Robot-Face"}, 5) == "A drawing of robot face."
