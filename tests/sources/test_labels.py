"""Label sets of drawings: what is seen of pictures whose answers are known, and what is said of emoji."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from prh.errors import InputError
from prh.sources.labels import CATEGORIES, NAMES, in_thirds, look, read_categories, read_names, said

RED, BLUE, BROWN, BLACK = (220, 20, 20), (20, 20, 220), (100, 50, 10), (0, 0, 0)


def drawing(*boxes):
    """A white picture, 64 x 64, with boxes (colour, top, bottom, left, right)."""
    image = np.full((64, 64, 3), 255, dtype=np.uint8)
    for colour, top, bottom, left, right in boxes:
        image[top:bottom, left:right] = colour
    return image


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        (
            [(RED, 10, 50, 10, 50)],
            {"main colour": "red", "shape": "compact", "contains red": "yes", "symmetry": 0.0},
        ),
        ([(BLUE, 20, 30, 4, 60)], {"main colour": "blue", "shape": "wide", "contains red": "no"}),
        ([(BROWN, 4, 60, 20, 30)], {"main colour": "brown", "shape": "tall", "number of colours": "1"}),
        ([(RED, 0, 40, 0, 40), (BLUE, 40, 64, 0, 40)], {"main colour": "red", "number of colours": "2"}),
        ([(BLACK, 0, 64, 0, 64)], {"main colour": "none", "line density": 1.0}),
        ([], {"main colour": "none", "number of colours": "0", "line density": 0, "shape": "compact"}),
    ],
)
def test_what_is_seen_of_a_picture(boxes, expected):
    found = look(drawing(*boxes))
    assert {key: found[key] for key in expected} == expected


def test_a_picture_that_is_not_symmetrical_is_told_from_one_that_is():
    lopsided = look(drawing((RED, 10, 50, 10, 30), (RED, 10, 20, 10, 50)))
    assert lopsided["symmetry"] < -0.1


def test_measures_are_cut_into_thirds():
    found = in_thirds(pd.DataFrame({"a": [0.1, 0.5, 0.2, 0.9, 0.3, 0.7], "b": list("xyzxyz")}))
    assert found == {"a": ["low", "middle", "low", "high", "middle", "high"], "b": list("xyzxyz")}


def wheel(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr({"names": NAMES, "categories": CATEGORIES}[name], text)
    return path


TABLE = """
raise RuntimeError("it is parsed, and never run")
EMOJI_DB = [Emoji(['grin'], "\U0001f600", ['smile'], "Smileys & Emotion", "6.1"), Emoji(['cat'], "\U0001f408", [], "Animals & Nature", "6.0")]
"""


def test_names_and_categories_of_emoji(tmp_path):
    categories = read_categories(wheel(tmp_path / "a.whl", categories=TABLE))
    assert categories == {"\U0001f600": "Smileys & Emotion", "\U0001f408": "Animals & Nature"}
    names = read_names(wheel(tmp_path / "b.whl", names='{"\U0001f600": {"en": ":grinning_face:"}}'))
    found = said(["1F600", "1F408", "1F9FF"], names, categories)
    assert found["category"] == ["Smileys & Emotion", "Animals & Nature", None]
    assert found["face"] == ["yes", "no", "no"]
    assert found["animal"] == ["no", "yes", None]


@pytest.mark.parametrize("text", ["x = (", "EMOJI_DB = 3", "OTHER = []", "EMOJI_DB = [Emoji(f())]"])
def test_a_table_of_emoji_that_is_none(tmp_path, text):
    with pytest.raises(InputError, match=r"a\.whl: emojis/db/db\.py is not the table of emoji"):
        read_categories(wheel(tmp_path / "a.whl", categories=text))


@pytest.mark.parametrize("text", ["{", "[]", '{"a": {}}', '{"a": 3}'])
def test_names_of_emoji_that_are_none(tmp_path, text):
    with pytest.raises(InputError, match=r"a\.whl: .* is not the table of names"):
        read_names(wheel(tmp_path / "a.whl", names=text))
