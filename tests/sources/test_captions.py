"""Captions as users bring them: headings of other tools, several captions of an image, names of any kind."""

import json
import shutil
from collections import Counter
from types import SimpleNamespace

import pytest
from PIL import Image

from prh.errors import InputError
from prh.provenance import read_manifest
from prh.sources import folder
from prh.sources.captions import choose, make_ids, read_table
from prh.sources.datasets import read_captions, which_caption

FIVE = [
    f"{who} {what}"
    for who in ("a child", "a girl", "somebody", "a small one", "she")
    for what in ("goes up",)
]


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def picture(path, colour="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(path)


def made(path, out, seed=0, **cells):
    """The data set of a row with this path."""
    row = {"path": str(path), "size": None, "licence": "mine", "captions": None, "columns": None}
    folder.make(SimpleNamespace(**row | cells), [], seed, out)
    return read_captions(out)


COCO = {
    "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 3, "caption": "two dogs"},
        {"id": 2, "image_id": 7, "caption": "one"},
        {"id": 3, "image_id": 7, "caption": "two"},
    ],
}
TWO_AND_ONE = [("a.jpg", ["one", "two"]), ("b.jpg", ["two dogs"])]


@pytest.mark.parametrize(
    ("name", "text", "read_as"),
    [
        ("captions.csv", "image,caption\na.jpg,one\na.jpg,two\nb.jpg,two dogs\n", "columns image, caption, by commas"),
        ("captions.csv", "image,caption\r\na.jpg,one\r\nb.jpg,two dogs\r\na.jpg,two\r\n", "columns image, caption, by commas"),
        ("captions.csv", b"\xef\xbb\xbf" + b'caption,"image"\n"one","a.jpg"\ntwo,./a.jpg\ntwo dogs,b.jpg', "columns image, caption, by commas"),
        ("captions.txt", "image,caption\na.jpg,one\na.jpg,two\nb.jpg,two dogs\n", "columns image, caption, by commas"),
        ("results.csv", "image_name| comment_number| comment\na.jpg| 0| one\na.jpg| 1| two\nb.jpg| 0| two dogs\n", "columns image_name, comment, by |"),
        ("Flickr8k.token.txt", "a.jpg#0\tone\na.jpg#1\ttwo\nb.jpg#0\ttwo dogs\n", "IMAGE#NUMBER, tab, caption"),
        ("results_20130124.token", "a.jpg#0\tone\na.jpg#1\ttwo\nb.jpg#0\ttwo dogs\n", "IMAGE#NUMBER, tab, caption"),
        ("captions_val2017.json", json.dumps(COCO), "COCO's images and annotations"),
        ("annotations/captions_val2017.json", json.dumps(COCO), "COCO's images and annotations"),
        ("metadata.csv", "file_name,text\na.jpg,one\na.jpg,two\nb.jpg,two dogs\n", "columns file_name, text, by commas"),
        ("metadata.jsonl", '{"file_name": "a.jpg", "text": ["one", "two"]}\n\n{"text": "two dogs", "file_name": "b.jpg"}\n', "keys file_name, text"),
        ("captions.tsv", "filepath\ttitle\na.jpg\tone\na.jpg\ttwo\nb.jpg\ttwo dogs\n", "columns filepath, title, by tabs"),
    ],
)  # fmt: skip
def test_headings_of_other_tools(tmp_path, name, text, read_as):
    table = read_table(put(tmp_path / "in" / name, text).parents[name.count("/")])
    assert [(item.image, item.captions) for item in table.items] == TWO_AND_ONE
    assert table.read_as == read_as
    assert [item.id for item in table.items] == ["a", "b"]
    assert table.images == tmp_path / "in"
    assert read_table(tmp_path / "in" / name).items == table.items  # the table itself is a path, too
    assert read_table(tmp_path / "in" / name).images == tmp_path / "in"


def test_texts_beside_pictures(tmp_path):
    for name in ("00000/000000001", "00000/000000000", "00001/000010000"):
        picture(tmp_path / f"in/{name}.jpg")
        put(tmp_path / f"in/{name}.txt", f"picture {name[-5:]}\n" + "again\r\n" * name.endswith("1"))
        put(tmp_path / f"in/{name}.json", "{}")
    table = read_table(tmp_path / "in")
    assert [item.id for item in table.items] == ["00000_000000000", "00000_000000001", "00001_000010000"]
    assert table.items[1].captions == ["picture 00001", "again"]
    (tmp_path / "in/00001/000010000.txt").unlink()
    with pytest.raises(
        InputError, match=r"000010000\.txt: no such file; 00001/000010000\.jpg needs its caption"
    ):
        read_table(tmp_path / "in")


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "pictures/captions.csv", "image,caption\na.png,x\n")
    assert read_table("~/pictures").source == tmp_path / "pictures/captions.csv"
    assert read_table("~/pictures/captions.csv").images == tmp_path / "pictures"


def test_columns_are_named_by_the_row(tmp_path):
    put(tmp_path / "captions.csv", "image,caption,german\na.png,dog,Hund\n")
    assert read_table(tmp_path, "image german").items[0].captions == ["Hund"]
    put(tmp_path / "captions.csv", "filename,text,title\na.png,dog,x\n")
    with pytest.raises(
        InputError, match=r"columns text, title: name the image's and the caption's in `columns`"
    ):
        read_table(tmp_path)
    with pytest.raises(InputError, match=r"column `label` is missing; found: filename, text, title"):
        read_table(tmp_path, "filename label")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("captions.csv", 'image,caption\na.png,"a dog\nb.png,a cat\nc.png,a "bird"\n', "line 2: a quote opens a cell and does not close"),
        ("captions.csv", 'image,caption\na.png,dog\nb.png,"a\ncat"\n', "line 3: a quote opens a cell and does not close"),
        ("captions.csv", 'image,caption\na.png,"a "big" dog"\n', "line 2: a quote opens a cell and does not close"),
        ("captions.tsv", 'image\tcaption\na.png\t"a dog\nb.png\ta cat"\n', "line 2: a quote opens a cell and does not close"),
        ("captions.csv", "image,caption\na.png\n", "line 2: 1 cells, but the heading has 2"),
        ("captions.csv", "image,caption\n\na.png,one\nb.png,red, round\n", "line 4: 3 cells, but the heading has 2"),
        ("results.csv", "image_name| comment_number| comment\na.jpg| 0   A dog\n", "line 2: 2 cells, but the heading has 3"),
        ("a.token", "a.jpg#0\tone\na.jpg two\n", "line 2: not of the form IMAGE#NUMBER"),
        ("captions.csv", "image,caption,caption\na.png,one,two\n", "column `caption` stands twice"),
        ("captions.csv", "id,image,caption\nx,a.png,one\nx,b.png,two\n", "line 3: id `x` stands twice"),
        ("captions.csv", "image,caption\na.png,one\na.png, \n", "line 3: the caption is empty"),
        ("metadata.jsonl", '{"file_name": "a.png", "text": "x"}\n{"file_name": "b.png"}\n', "line 2: not a JSON mapping with an image"),
        ("metadata.jsonl", '{"file_name": "a.png", "text": []}\n', "line 1: the caption is empty"),
        ("captions.json", "[]", "not COCO's captions"),
        ("captions.json", json.dumps(COCO | {"annotations": COCO["annotations"][:1]}), "image 7: the caption is empty"),
        ("captions.json", json.dumps(COCO | {"images": COCO["images"][:1]}), "an annotation is of image 3, which is not among"),
    ],
)  # fmt: skip
def test_bad_tables_are_named(tmp_path, name, text, says):
    put(tmp_path / name, text)
    with pytest.raises(InputError, match=f"{name}.*{says}".replace("(", r"\(")):
        read_table(tmp_path)


def test_quotes_that_are_text(tmp_path):
    put(tmp_path / "captions.csv", 'image,caption\na.png,a "bird"\nb.png,"a ""big"", red\u2028dog"\n')
    assert [item.captions for item in read_table(tmp_path).items] == [['a "bird"'], ['a "big", red\u2028dog']]


def test_which_table(tmp_path):
    for name in ("train/metadata.csv", "test/metadata.csv"):
        put(tmp_path / name, "file_name,text\na.png,x\n")
    with pytest.raises(
        InputError, match=r"name one of these in `path` of the data set table: test/metadata.csv, train/"
    ):
        read_table(tmp_path)
    for name in ("metadata.csv", "captions.txt"):
        put(tmp_path / name, "image,caption\na.png,x\n")
    with pytest.raises(InputError, match=r"captions.txt, metadata.csv: name one of them in `path`"):
        read_table(tmp_path)
    put(tmp_path / "captions.csv", "image,caption\na.png,x\n")
    assert read_table(tmp_path).source.name == "captions.csv"  # the project's own


NAMES = ["IMG 001.jpg", "photo (1).jpg", "it's.jpg", "cats/001.jpg", "dogs/001.jpg", "grün/猫.png", "a.jpg", "a,b.png", "#1 100%.png"]  # fmt: skip


def test_names_of_any_kind(tmp_path):
    for number, name in enumerate(NAMES):
        picture(tmp_path / "in" / name, (20 * number, 0, 0))
    text = "image,caption\n" + "".join(f'"{name}",{number}\n' for number, name in enumerate(NAMES))
    put(tmp_path / "in/captions.csv", text)
    table = made(tmp_path / "in", tmp_path / "out")
    assert table.id.tolist() == [
        "IMG_001",
        "photo_1_",
        "it_s",
        "cats_001",
        "dogs_001",
        "grün_猫",
        "a",
        "a_b",
        "_1_100_",
    ]
    assert table.source.tolist() == NAMES
    for number, image in enumerate(table.image):
        red = Image.open(tmp_path / "out" / image).getpixel((0, 0))[0]
        assert red == pytest.approx(20 * number, abs=3)  # some are JPEG


def test_ids_do_not_depend_on_the_order():
    names = [
        *NAMES,
        "a.png",
        "A.jpg",
        "a b.png",
        "a (b).png",
        "a_b.jpg",
        "x" * 300 + ".png",
        ".png",
        "...png",
        "~/$x.png",
    ]
    ids = make_ids(names)
    assert make_ids(names[::-1]) == ids
    assert len({name.casefold() for name in ids.values()}) == len(names)
    assert all(
        0 < len(name.encode()) < 250 and "/" not in name and name[0] not in ".-" for name in ids.values()
    )
    more = make_ids([*names, "another.jpg", "cats/002.jpg"])
    assert {name: more[name] for name in names} == ids
    planted = make_ids(
        [*names, f"{ids['a.jpg']}.png"]
    )  # the name of one is the id that another would be given
    assert len({*planted.values()}) == len(planted)


def test_names_in_another_form(tmp_path):
    """A table of Windows has backslashes; one of a Mac has letters and their marks apart."""
    picture(tmp_path / "in/cats/gr\u00fcn.png")
    put(tmp_path / "in/captions.csv", "image,caption\ncats\\gru\u0308n.png,a cat\n")
    assert made(tmp_path / "in", tmp_path / "out").id.tolist() == ["cats_gr\u00fcn"]


def test_images_lie_below_the_table(tmp_path):
    picture(tmp_path / "in/Images/a b.jpg")
    put(tmp_path / "in/captions.txt", "image,caption\na b.jpg,one\n")
    assert len(made(tmp_path / "in", tmp_path / "out")) == 1
    shutil.copytree(tmp_path / "in/Images", tmp_path / "in/More")
    with pytest.raises(InputError, match=r"`a b\.jpg` lies in (Images/ and in More|More/ and in Images)/"):
        made(tmp_path / "in", tmp_path / "other")


@pytest.fixture
def flickr(tmp_path):
    """Twelve pictures with five captions each, but for one with one."""
    for number in range(12):
        picture(tmp_path / f"in/{number}.png", (number, 0, 0))
    rows = [f"{number}.png,{caption} {number}" for caption in FIVE for number in range(12)]
    put(tmp_path / "in/captions.csv", "image,caption\n" + "\n".join(rows[:-1]))
    return tmp_path / "in"


def test_of_several_captions_the_first_and_it_is_said(flickr, tmp_path, capfd):
    table = made(flickr, tmp_path / "out")
    assert table.caption.tolist() == [f"{FIVE[0]} {number}" for number in range(12)]
    assert "12 images have 59 captions; taken: first. The column `captions`" in capfd.readouterr().err
    manifest = read_manifest(tmp_path / "out")
    assert (manifest["pairs"], manifest["captions"], manifest["captions_there"]) == (12, "first", 59)
    assert manifest["read_as"] == "columns image, caption, by commas"
    assert which_caption(tmp_path / "out") == {"caption": "first"}


def test_drawn_captions_follow_the_seed(flickr, tmp_path):
    drawn = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        drawn[name] = made(flickr, tmp_path / name, seed, captions="drawn").caption.tolist()
    assert drawn["a"] == drawn["b"] != drawn["c"]
    assert all(caption.endswith(f" {number}") for number, caption in enumerate(drawn["a"]))
    assert which_caption(tmp_path / "a") == {"caption": "drawn"}
    lines = (flickr / "captions.csv").read_text().splitlines()
    put(flickr / "captions.csv", "\n".join([lines[0], "new.png,new", *lines[1:]]))  # others draw as before
    picture(flickr / "new.png")
    assert made(flickr, tmp_path / "d", 1, captions="drawn").caption.tolist() == ["new", *drawn["a"]]


def test_each_caption_is_drawn_about_as_often():
    ids = [str(number) for number in range(2000)]
    found = Counter(choose([FIVE] * 2000, ids, "drawn", 0, "x")[0])
    assert all(330 < found[caption] < 470 for caption in FIVE)


def test_all_captions_are_kept_for_the_mean(flickr, tmp_path):
    table = made(flickr, tmp_path / "out", captions="mean", size=3)
    assert len(table) == 3  # pictures, not rows
    for row in table.itertuples():
        assert list(row.captions) == [f"{caption} {row.id}" for caption in FIVE][: len(row.captions)]
        assert row.caption == row.captions[0]
    assert which_caption(tmp_path / "out") == {"caption": "first"}


def test_single_captions_need_no_rule(tmp_path):
    picture(tmp_path / "in/a.png")
    put(tmp_path / "in/captions.csv", "image,caption\na.png,one\n")
    table = made(tmp_path / "in", tmp_path / "out", captions="mean")
    assert list(table.columns) == ["id", "image", "caption", "source"]
    assert which_caption(tmp_path / "out") == {}
