import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from prh import datasets
from prh.errors import InputError
from prh.provenance import digest, tree_digests

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
    found = datasets.qualifying_emoji(KNOWN, available)
    assert found == {"1F947": "1st place medal", "2639": "frowning face", "1F916": "robot"}


def test_render_is_on_white_at_the_asked_size():
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><rect width="2" height="4" fill="#f00"/></svg>'
    pixels = np.asarray(datasets.render(svg, 32))
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


def test_folder(pictures, tmp_path):
    datasets.make_from_folder(pictures, None, 0, tmp_path / "out", "mine")
    table = datasets.read_captions(tmp_path / "out")
    assert list(table.columns) == list(datasets.COLUMNS)
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
        datasets.make_from_folder(pictures, 8, seed, tmp_path / name, "mine")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")
    assert len(datasets.read_captions(tmp_path / "c")) == 8


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGBA", "P"])
def test_any_kind_of_picture_becomes_rgb(tmp_path, mode):
    Image.new("RGB", (5, 5), "white").convert(mode).save(tmp_path / ("x.tiff" if mode == "CMYK" else "x.png"))
    assert np.asarray(datasets.read_image(next(tmp_path.glob("x.*")))).min() == 255


def test_transparency_becomes_white(tmp_path):
    Image.new("RGBA", (5, 5), (0, 0, 0, 0)).save(tmp_path / "x.png")
    assert np.asarray(datasets.read_image(tmp_path / "x.png")).min() == 255


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,caption\np00.png,a\n", "column `image` is missing"),
        ("image,caption\np00.png,\n", "line 2: the caption is empty"),
        ("image,caption\np00.png,a\np00.png,b\n", "id `p00` stands twice"),
        ("image,caption\nnone.png,a\n", "none.png: no such image"),
        ("image,caption\n../p00.png,a\n", "must lie within"),
        ("id,image,caption\na b,p00.png,a\n", "id `a b` may have"),
        ("image,caption\ncaptions.csv,a\n", "not a readable image"),
        ("", "not a readable CSV"),
    ],
)
def test_bad_captions(pictures, tmp_path, text, message):
    (pictures / "captions.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        datasets.make_from_folder(pictures, None, 0, tmp_path / "out", "mine")


def test_too_few_pictures(pictures, tmp_path):
    with pytest.raises(InputError, match="21 pairs asked for, it has 20"):
        datasets.make_from_folder(pictures, 21, 0, tmp_path / "out", "mine")


def test_no_captions_file(tmp_path):
    with pytest.raises(InputError, match=r"captions\.csv: no such file"):
        datasets.make_from_folder(tmp_path, None, 0, tmp_path / "out", "mine")


def test_a_truncated_picture(pictures, tmp_path):
    data = (pictures / "p00.png").read_bytes()
    (pictures / "p00.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"p00\.png: not a readable image"):
        datasets.make_from_folder(pictures, None, 0, tmp_path / "out", "mine")
