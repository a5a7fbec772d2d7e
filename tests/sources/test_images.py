"""Image files of any kind, read as RGB."""

import numpy as np
import pytest
from PIL import Image

from prh.sources.images import read_image


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGBA", "P"])
def test_any_kind_of_picture_becomes_rgb(tmp_path, mode):
    Image.new("RGB", (5, 5), "white").convert(mode).save(tmp_path / ("x.tiff" if mode == "CMYK" else "x.png"))
    assert np.asarray(read_image(next(tmp_path.glob("x.*")))).min() == 255


def test_transparency_becomes_white(tmp_path):
    Image.new("RGBA", (5, 5), (0, 0, 0, 0)).save(tmp_path / "x.png")
    assert np.asarray(read_image(tmp_path / "x.png")).min() == 255
