import numpy as np
import pytest
from skimage.color import rgb2lab

from prh.errors import InputError
from prh.sources.colours import read_words, to_cielab, to_srgb


def test_cielab_of_known_colours():
    assert to_cielab([255, 0, 0]) == pytest.approx([53.24, 80.09, 67.20], abs=0.01)
    assert to_cielab([255, 255, 255]) == pytest.approx([100, 0, 0], abs=1e-4)
    assert to_cielab([0, 0, 0]) == pytest.approx([0, 0, 0], abs=1e-9)


def test_cielab_is_scikit_image_s_and_goes_back():
    colours = np.random.default_rng(0).integers(0, 256, (50, 3))
    assert to_cielab(colours) == pytest.approx(rgb2lab(colours / 255), abs=0.02)
    assert to_srgb(to_cielab(colours)) * 255 == pytest.approx(colours, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("word\tsrgb\tsets\nred\tred\tbasic\n", "line 2: `red` is no colour; write it as #rrggbb"),
        ("word\tsrgb\tsets\nred\t#ff0000\ta\nred\t#ee0000\ta\n", "`red` stands twice"),
        ("word\tcolour\nred\t#ff0000\n", "its columns are word, colour, not word, srgb, sets"),
    ],
)
def test_bad_tables_of_words(tmp_path, text, says):
    (tmp_path / "colours.tsv").write_text(text)
    with pytest.raises(InputError, match=says):
        read_words(tmp_path / "colours.tsv")
