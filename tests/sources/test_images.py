"""Image files of any kind, as a viewer shows them: known pixels of each kind, and what a data set stores and counts."""

import io
import json
import struct
import zlib
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from PIL import ExifTags, Image, ImageCms
from pyarrow import parquet

from prh.errors import InputError
from prh.sources import classes, folder, hub_pairs, images
from prh.sources.datasets import read_captions
from prh.sources.images import open_image, read_image, shown, store_image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def grey_of(path):
    """What is shown of a picture without colour: its grey values."""
    pixels = np.asarray(read_image(path))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0].tolist()


def save(values, path, **options):
    Image.fromarray(np.asarray(values)).save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGBA", "P", "1", "LA", "YCbCr"])
def test_any_kind_of_picture_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("x.tiff" if mode in ("CMYK", "YCbCr") else "x.png")
    Image.new("RGB", (5, 5), "white").convert(mode).save(path)
    assert open_image(path).mode == mode
    assert np.asarray(read_image(path)).min() == 255


def test_cielab(tmp_path):
    """Red is L = 54, a = 81, b = 70 (D50); Pillow has L of 255 and the others from 128 on."""
    for name, values, colour in (("red", (138, 209, 198), RED), ("white", (255, 128, 128), WHITE)):
        Image.new("LAB", (2, 2), values).save(tmp_path / f"{name}.tiff")
        picture, done = shown(open_image(tmp_path / f"{name}.tiff"))
        assert np.abs(np.array(picture.getpixel((0, 0))) - colour).max() <= 6
        assert done == [images.LAB]


# Of each: the values of a row, and what is shown of them.
RANGES = {
    "16 bits": (np.array([[0, 257, 32896, 65535]], np.uint16), [0, 1, 128, 255]),
    "16 bits of which not all are used": (np.array([[257, 2570, 40000]], np.uint16), [1, 10, 156]),
    "12 bits in 16": (np.array([[0, 2048, 4095]], np.uint16), [0, 128, 255]),
    "14 bits in 16": (np.array([[0, 4096, 16383]], np.uint16), [0, 64, 255]),
    "10 bits in 16": (np.array([[0, 300, 1023]], np.uint16), [0, 75, 255]),
    "8 bits in 16": (np.array([[0, 7, 255]], np.uint16), [0, 7, 255]),
    "one value in 16 bits": (np.array([[30000, 30000]], np.uint16), [117, 117]),
    "32 bits, of which 16 are used": (np.array([[0, 32896, 65535]], np.int32), [0, 128, 255]),
    "32 bits": (np.array([[1_000_000, 1_500_000, 2_000_000]], np.int32), [0, 128, 255]),
    "32 bits, below 0": (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
    "one value in 32 bits": (np.array([[-7, -7]], np.int32), [0, 0]),
    "floats of 0 to 1": (np.array([[0, 0.25, 1]], np.float32), [0, 64, 255]),
    "floats of 0 to less": (np.array([[0, 0.1, 0.2]], np.float32), [0, 26, 51]),
    "floats of 0 to 255": (np.array([[0, 100, 255]], np.float32), [0, 100, 255]),
    "floats of 0 to 65535": (np.array([[0, 25700, 65535]], np.float32), [0, 100, 255]),
    "floats of 0 to 10": (np.array([[0, 5, 10]], np.float32), [0, 128, 255]),
    "floats below 0": (np.array([[-1, 0, 1]], np.float32), [0, 128, 255]),
    "no numbers among floats": (np.array([[np.nan, 0.2, np.inf, -np.inf, 1]], np.float32), [0, 51, 255, 0, 255]),
    "one float": (np.array([[0.5, 0.5]], np.float32), [128, 128]),
    "a black one": (np.zeros((1, 2), np.float32), [0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("kind", RANGES)
def test_values_of_many_bits_are_scaled_by_their_range(tmp_path, kind):
    values, expected = RANGES[kind]
    assert grey_of(save(values, tmp_path / "x.tiff")) == [expected]
    if values.dtype == np.uint16:
        assert grey_of(save(values, tmp_path / "x.png")) == [expected]
        assert open_image(tmp_path / "x.png").mode == "I;16"


def tiff(values, photometric, sample_format):
    """A TIFF of one strip, which Pillow itself would not write so: 32 bits without sign, or 0 for white."""
    height, width = values.shape
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8 * values.itemsize), (259, 3, 1)]
    tags += [(262, 3, photometric), (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, values.nbytes)]
    tags += [(339, 3, sample_format)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return (
        struct.pack("<2sHI", b"II", 42, 8 + values.nbytes)
        + values.tobytes()
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )


def test_tiff_without_sign_and_with_white_at_0(tmp_path):
    (tmp_path / "x.tiff").write_bytes(tiff(np.array([[0, 2**31, 2**32 - 1]], "<u4"), 1, 1))
    assert grey_of(tmp_path / "x.tiff") == [[0, 128, 255]]
    (tmp_path / "y.tiff").write_bytes(tiff(np.array([[0, 257, 65535]], "<u2"), 0, 1))
    assert grey_of(tmp_path / "y.tiff") == [[255, 254, 0]]
    (tmp_path / "z.tiff").write_bytes(tiff(np.array([[0, 0.2, 1]], "<f4"), 0, 3))
    assert grey_of(tmp_path / "z.tiff") == [[255, 204, 0]]


def test_a_picture_in_16_bits_is_what_it_is_in_8(tmp_path):
    eight = np.random.default_rng(0).integers(0, 256, (9, 7), dtype=np.uint8)
    save(eight, tmp_path / "8.png")
    save(eight.astype(np.uint16) * 257, tmp_path / "16.png")
    assert grey_of(tmp_path / "16.png") == grey_of(tmp_path / "8.png") == eight.tolist()


def test_colours_of_16_bits_are_taken_by_all_of_them(tmp_path):
    """A PNG that Pillow itself would not write: a row of red, half green, white."""
    row = np.array([[65535, 0, 0], [0, 32896, 0], [65535, 65535, 65535]], ">u2")
    parts = [
        (b"IHDR", struct.pack(">2I5B", 3, 1, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" + row.tobytes())),
    ]
    chunks = [
        len(held).to_bytes(4) + name + held + zlib.crc32(name + held).to_bytes(4) for name, held in parts
    ]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + bytes(4) + b"IEND\xaeB`\x82")
    assert np.asarray(read_image(tmp_path / "x.png")).tolist() == [[[*RED], [0, 128, 0], [*WHITE]]]


def test_a_picture_without_a_number_is_named(tmp_path):
    save(np.full((2, 2), np.nan, np.float32), tmp_path / "x.tiff")
    with pytest.raises(
        InputError, match=r"x\.tiff: not a readable image \(no value in it is a number\); repl"
    ):
        read_image(tmp_path / "x.tiff")


# Where the corners of a picture lie that is stored with the colours R G / B W and turned by each of EXIF's numbers.
TURNED = {
    1: [[RED, GREEN], [BLUE, WHITE]],
    2: [[GREEN, RED], [WHITE, BLUE]],
    3: [[WHITE, BLUE], [GREEN, RED]],
    4: [[BLUE, WHITE], [RED, GREEN]],
    5: [[RED, BLUE], [GREEN, WHITE]],
    6: [[BLUE, RED], [WHITE, GREEN]],
    7: [[WHITE, GREEN], [BLUE, RED]],
    8: [[GREEN, WHITE], [RED, BLUE]],
}


@pytest.mark.parametrize("ending", ["png", "jpg", "tiff", "webp"])
@pytest.mark.parametrize("number", TURNED)
def test_all_of_exifs_turns(tmp_path, number, ending):
    """A picture of 64 x 32, a colour in each quarter."""
    quarters = np.array(TURNED[1], np.uint8).repeat(16, axis=0).repeat(32, axis=1)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = number
    save(quarters, tmp_path / f"x.{ending}", exif=exif)
    found = np.asarray(read_image(tmp_path / f"x.{ending}")).astype(int)
    assert found.shape == ((32, 64, 3) if number < 5 else (64, 32, 3))
    height, width = found.shape[:2]
    corners = found[[height // 4, 3 * height // 4]][:, [width // 4, 3 * width // 4]]
    assert np.abs(corners - np.array(TURNED[number])).max() <= (0 if ending in ("png", "tiff") else 6)


def test_a_damaged_tag_turns_nothing(tmp_path):
    Image.new("RGB", (4, 2), "red").save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    assert read_image(tmp_path / "x.jpg").size == (4, 2)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 9
    Image.new("RGB", (4, 2), "red").save(tmp_path / "y.png", exif=exif)
    assert shown(open_image(tmp_path / "y.png"))[1] == []


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped():
    """sRGB's profile with the names of its red and blue changed over: what is stored as red is shown as blue."""
    return SRGB.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")


def grey_profile():
    """A profile for grey with a gamma of 1: half the light is shown as 188 of 255."""
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 256) + bytes(2)
    text = b"desc" + bytes(4) + struct.pack(">I", 2) + b"g\0" + bytes(78)
    texts = [(b"wtpt", white), (b"kTRC", curve), (b"desc", text + bytes(-len(text) % 4))]
    place, table, data = 128 + 4 + 12 * len(texts), b"", b""
    for name, held in texts:
        table += name + struct.pack(">2I", place + len(data), len(held))
        data += held
    head = struct.pack(">I4sI4s4s4s", place + len(data), b"\0\0\0\0", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(texts)) + table + data


def test_colour_profiles_are_brought_to_srgb(tmp_path):
    colours = np.array([[RED, BLUE, GREEN, (40, 90, 200)]], np.uint8)
    path = save(colours, tmp_path / "x.png", icc_profile=swapped())
    found = np.asarray(read_image(path)).astype(int)
    assert np.abs(found - np.array([[BLUE, RED, GREEN, (200, 90, 40)]])).max() <= 1
    palette = Image.fromarray(colours).quantize(4)
    palette.save(tmp_path / "p.png", icc_profile=swapped())
    assert np.abs(np.asarray(read_image(tmp_path / "p.png")).astype(int) - found).max() <= 1
    save(np.array([[0, 128, 255]], np.uint8), tmp_path / "g.png", icc_profile=grey_profile())
    assert grey_of(tmp_path / "g.png") == [[0, 188, 255]]
    see_through = Image.fromarray(colours).convert("RGBA")
    see_through.putalpha(Image.fromarray(np.array([[255, 0, 255, 255]], np.uint8)))
    see_through.save(tmp_path / "a.png", icc_profile=swapped())
    assert (
        np.abs(np.asarray(read_image(tmp_path / "a.png")) - [[BLUE, WHITE, GREEN, (200, 90, 40)]]).max() <= 1
    )


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "LA", "P"])
@pytest.mark.parametrize("profile", [SRGB, b"no profile", b"", SRGB[:200]])
def test_profiles_that_change_nothing_or_do_not_fit(tmp_path, mode, profile):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).convert(mode)
    image.save(tmp_path / "x.tiff", icc_profile=profile)
    found, done = shown(open_image(tmp_path / "x.tiff"))
    assert found.tobytes() == image.convert("RGB").tobytes()
    fits = profile == SRGB and mode in ("RGB", "P")
    assert done == ([] if fits or not profile else [images.NO_PROFILE])


def test_transparency_becomes_white(tmp_path):
    Image.new("RGBA", (5, 5), (0, 0, 0, 0)).save(tmp_path / "x.png")
    assert np.asarray(read_image(tmp_path / "x.png")).min() == 255
    half = Image.new("RGBA", (1, 1), (255, 0, 0, 127))
    half.save(tmp_path / "half.png")
    assert read_image(tmp_path / "half.png").getpixel((0, 0)) == (255, 128, 128)
    half = Image.new("LA", (1, 1), (0, 127))
    half.save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").getpixel((0, 0)) == (128, 128, 128)
    half = Image.new("P", (1, 1))
    half.putpalette([0, 0, 0])
    half.putalpha(127)
    assert half.mode == "PA"
    assert shown(half)[0].getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("clear", [1, b"\xff\x00", b"\xff\x80"])
def test_transparency_of_palettes(tmp_path, clear):
    """The second colour of the palette is not seen, or by half."""
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    image.save(tmp_path / "x.png", transparency=clear)
    half = clear == b"\xff\x80"
    assert np.asarray(read_image(tmp_path / "x.png")).tolist() == [
        [[*RED], [127, 127, 255] if half else [*WHITE]]
    ]


def test_one_value_that_is_not_seen(tmp_path):
    save(np.array([[0, 7, 255]], np.uint8), tmp_path / "8.png", transparency=7)
    save(np.array([[0, 257, 65535]], np.uint16), tmp_path / "16.png", transparency=257)
    save(np.array([[RED, BLUE]], np.uint8), tmp_path / "rgb.png", transparency=BLUE)
    save(np.array([[True, False]]), tmp_path / "1.png", transparency=0)
    assert grey_of(tmp_path / "8.png") == grey_of(tmp_path / "16.png") == [[0, 255, 255]]
    assert np.asarray(read_image(tmp_path / "rgb.png")).tolist() == [[[*RED], [*WHITE]]]
    assert grey_of(tmp_path / "1.png") == [[255, 255]]


def test_cmyk(tmp_path):
    """Inks of a JPEG as Adobe stores them, turned over, which Pillow's own are too."""
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for name in ("x.jpg", "x.tiff"):
        inks.save(tmp_path / name)
        assert np.abs(np.asarray(read_image(tmp_path / name)).astype(int) - RED).max() <= 2


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
def test_of_several_frames_the_first_one(tmp_path, ending):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    lossless = {"lossless": True} if ending == "webp" else {}
    path = tmp_path / f"x.{ending}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **lossless)
    picture, done = shown(open_image(path))
    assert picture.getpixel((0, 0)) == RED
    assert done == [images.FIRST]


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp", "tiff", "bmp"])
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.9])
def test_what_is_cut_off_is_named(tmp_path, ending, share):
    rng = np.random.default_rng(0)
    path = save(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), tmp_path / f"x.{ending}")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(
        InputError, match=rf"x\.{ending}: not a readable image \(.*\); replace it or remove its row$"
    ):
        read_image(path)


def png_of(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def test_plain_pictures_are_stored_byte_for_byte(tmp_path):
    (tmp_path / "images").mkdir()
    done, exif = Counter(), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    red = Image.new("RGB", (4, 2), "red")
    plain = [png_of(red), png_of(red.convert("L")), png_of(red.convert("P")), png_of(red, icc_profile=SRGB)]
    plain += [png_of(red.convert("RGBA")), png_of(red, icc_profile=b"none")]
    for number, data in enumerate(plain):
        name = store_image(data, tmp_path, str(number), done, "it", ending="x")
        assert name == f"images/{number}.x"
        assert (tmp_path / name).read_bytes() == data
    others = [png_of(red, exif=exif), png_of(red, icc_profile=swapped()), png_of(Image.new("RGBA", (4, 2)))]
    for number, data in enumerate(others):
        name = store_image(data, tmp_path, f"other{number}", done, "it", ending="x")
        assert name == f"images/other{number}.png"
        assert open_image(tmp_path / name).mode == "RGB"
        assert open_image(tmp_path / name).tobytes() == read_image(tmp_path / name).tobytes()
    assert done == {
        images.KEPT: 6,
        images.AGAIN: 3,
        images.NO_PROFILE: 1,
        images.TURNED: 1,
        images.PROFILE: 1,
        images.ON_WHITE: 1,
    }


def fill(path):
    """A folder of four pictures: a ramp in 16 bits, one turned, one see-through, a plain one."""
    path.mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    save(np.linspace(0, 65535, 256).astype(np.uint16)[None], path / "a.png")
    Image.new("RGB", (80, 40), "red").save(path / "b.jpg", exif=exif)
    Image.new("RGBA", (3, 3)).save(path / "c.png")
    Image.new("RGB", (3, 3), "blue").save(path / "d.png")
    (path / "captions.csv").write_text("image,caption\na.png,a\nb.jpg,b\nc.png,c\nd.png,d\n")
    return path


def make(source, given, out):
    row = SimpleNamespace(path=str(given), size=None, licence="mine")
    if source == "hub":
        rows = [
            {"image": {"bytes": path.read_bytes()}, "text": path.stem} for path in sorted(given.glob("*.*g"))
        ]
        parquet.write_table(pa.Table.from_pylist(rows), given / "x.parquet")
        hub_pairs.make_from_parquet([given / "x.parquet"], 0, None, out)
    else:
        {"folder": folder, "classes": classes}[source].make(row, [], 0, out)


@pytest.mark.parametrize("source", ["folder", "classes", "hub"])
def test_every_source_stores_and_counts_alike(tmp_path, source, capsys):
    make(source, fill(tmp_path / "in"), tmp_path / "out")
    found = [open_image(tmp_path / "out" / name) for name in read_captions(tmp_path / "out").image]
    assert {image.mode for image in found} == {"RGB"}
    assert [image.size for image in found] == [(256, 1), (40, 80), (3, 3), (3, 3)]
    assert np.asarray(found[0])[0, :, 0].tolist() == list(range(256))
    assert [found[2].getpixel((0, 0)), found[3].getpixel((0, 0))] == [WHITE, BLUE]
    said = json.loads((tmp_path / "out/manifest.json").read_text())["images"]
    again = 4 if source == "folder" else 3
    kept = {} if source == "folder" else {images.KEPT: 1}
    assert said == {
        "rule": images.RULE,
        "counts": {images.SCALED.format(65535): 1, images.TURNED: 1, images.ON_WHITE: 1, images.AGAIN: again}
        | kept,
    }
    assert "images: 1 scaled from 0..65535" in capsys.readouterr().err


def test_a_hubs_picture_that_cannot_be_read_is_named(tmp_path):
    for number, held in enumerate([{"bytes": b"text"}, {"bytes": None}, None]):
        rows = [
            {"image": {"bytes": png_of(Image.new("L", (2, 2)))}, "text": "a"},
            {"image": held, "text": "b"},
        ]
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
        with pytest.raises(
            InputError, match=r"x\.parquet, image 1: not a readable image \(of no known format\)"
        ):
            hub_pairs.make_from_parquet([tmp_path / "x.parquet"], 0, None, tmp_path / str(number))
