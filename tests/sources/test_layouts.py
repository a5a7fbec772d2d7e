"""Data sets of other layouts: folders of classes, archives of the hub, its Parquet files by columns and split, DCI."""

import io
import json
import tarfile
from types import SimpleNamespace

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from prh.errors import InputError
from prh.provenance import read_manifest
from prh.sources import classes, dci, hub_pairs, webdataset
from prh.sources.datasets import read_captions
from prh.sources.images import read_image


def png(colour):
    stored = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(stored, "PNG")
    return stored.getvalue()


def row(path, **cells):
    return SimpleNamespace(**{"path": str(path), "size": None, "licence": "mine", "split": None} | cells)


@pytest.fixture
def pictures(tmp_path):
    """Six pictures in two folders."""
    for number in range(6):
        path = tmp_path / "in" / ("cat" if number < 2 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png((40 * number, 0, 0)))
    return tmp_path / "in"


def test_classes_are_the_folders_names(pictures, tmp_path):
    classes.make(row(pictures), [], 0, tmp_path / "out")
    table = read_captions(tmp_path / "out")
    assert table.caption.tolist() == ["cat"] * 2 + ["dog"] * 4
    assert table.source.tolist()[:3] == ["cat/0.png", "cat/1.png", "dog/2.png"]
    assert read_image(tmp_path / "out" / table.image[3]).getpixel((0, 0)) == (120, 0, 0)


def test_at_most_so_many_are_drawn_by_the_seed(pictures, tmp_path):
    kept = []
    for number, seed in enumerate((0, 0, 1, 2, 3)):
        classes.make(row(pictures, size=3), [], seed, tmp_path / str(number))
        kept.append(read_captions(tmp_path / str(number)).source.tolist())
    assert all(len(found) == 3 and found == sorted(found) for found in kept)
    assert kept[0] == kept[1]
    assert len({tuple(found) for found in kept}) > 1
    classes.make(row(pictures, size=60), [], 0, tmp_path / "all")
    assert len(read_captions(tmp_path / "all")) == 6


def archive(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


SAMPLES = {"a.png": png("red"), "a.cls": b"1", "b.png": png("blue"), "b.cls": b"0\n"}


def test_archives_have_numbers_of_classes(tmp_path):
    files = [archive(tmp_path / "in" / name, SAMPLES) for name in ("train/0.tar", "test/0.tar")]
    webdataset.make_from_archives(files, tmp_path / "in", ["cat", "dog"], None, 0, tmp_path / "out")
    table = read_captions(tmp_path / "out")
    assert table.caption.tolist() == ["dog", "cat"] * 2
    assert table.source.tolist()[-1] == "test/0.tar: b.png"
    webdataset.make_from_archives(files[:1], tmp_path / "in", [], 1, 0, tmp_path / "one")
    assert read_captions(tmp_path / "one").caption.isin(["0", "1"]).tolist() == [True]


@pytest.mark.parametrize(
    ("members", "names", "says"),
    [
        ({"a.png": png("red")}, [], "0.tar: a.png has no class"),
        (SAMPLES, ["cat"], "0.tar: a.png: class `1` has no line in classnames.txt"),
        (SAMPLES | {"a.cls": b"x"}, ["cat", "dog"], "0.tar: a.png: class `x` has no line"),
        ({"a.png": b"text", "a.cls": b"0"}, [], "not a readable image"),
    ],
)
def test_bad_archives_are_named(tmp_path, members, names, says):
    files = [archive(tmp_path / "in/0.tar", members)]
    with pytest.raises(InputError, match=says):
        webdataset.make_from_archives(files, tmp_path / "in", names, None, 0, tmp_path / "out")


def test_an_archive_that_is_none_is_named(tmp_path):
    (tmp_path / "0.tar").write_bytes(b"text")
    with pytest.raises(InputError, match=r"0\.tar: not a readable archive"):
        webdataset.make_from_archives([tmp_path / "0.tar"], tmp_path, [], None, 0, tmp_path / "out")


def test_one_split_of_a_repository_is_chosen():
    paths = ["README.md", "d/train-0.parquet", "d/test-0.parquet", "d/train-1.parquet"]
    assert hub_pairs.choose_files(paths, "*train*") == ["d/train-0.parquet", "d/train-1.parquet"]
    assert hub_pairs.choose_files(["x/a.parquet", "b.parquet"], "*") == ["b.parquet", "x/a.parquet"]
    with pytest.raises(InputError, match="splits test, train: name one in `files`"):
        hub_pairs.choose_files(paths, "*")
    with pytest.raises(InputError, match=r"no Parquet files of the name `\*valid\*`"):
        hub_pairs.choose_files(paths, "*valid*")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ("train/0000 test/0000", "test, train"),
        ("data/train-00000-of-00001 data/test-00000-of-00001", "test, train"),
        ("data/train-00000-of-00001-0123456789abcdef data/val-00000-of-00001-fedcba9876543210", "train, val"),
        ("wit_512/train-00000-of-00001 wit_1024/train-00000-of-00001", "wit_1024/train, wit_512/train"),
        ("wit_512 wit_1024", "wit_1024, wit_512"),
        ("a/train-0 a/test-0 b/train-0", "a/test, a/train, b/train"),
        ("val dev", "dev, val"),
        ("train train_small", "train, train_small"),
        ("train2014 validation2014", "train2014, validation2014"),
        ("all test", "others, test"),
    ],
)
def test_splits_and_subsets_are_never_joined(paths, names):
    with pytest.raises(InputError, match=f"splits {names}: name one in `files` of .*, or in `split`"):
        hub_pairs.choose_files([f"{path}.parquet" for path in paths.split()], "*")


def test_parts_of_one_split_are_joined():
    for paths in (
        "train-00000-of-00002 train-00001-of-00002",
        "x/0000 x/0001",
        "part_1 part_2",
        "a b",
        "x/9 x/10 x/08",
    ):
        paths = sorted(f"{path}.parquet" for path in paths.split())
        assert hub_pairs.choose_files(paths, "*") == paths


def test_a_split_is_named_exactly():
    paths = [f"{name}.parquet" for name in ("a/train-0", "a/train_small-0", "a/test-0", "b/train-0")]
    assert hub_pairs.choose_files(paths, "a/*", "train") == ["a/train-0.parquet"]
    with pytest.raises(InputError, match="splits a/train, b/train: name one in `files`"):
        hub_pairs.choose_files(paths, "*", "train")
    with pytest.raises(
        InputError,
        match=r"of the split `val`; correct `split` .*there are: a/test, a/train, a/train_small, b",
    ):
        hub_pairs.choose_files(paths, "*", "val")


LISTS = [["one", "two"], ["three"], ["four", "five", "six"]]


def of_lists(folder, texts, caption_index, **options):
    """A data set of Parquet rows with lists of texts."""
    rows = [{"image": {"bytes": png("red"), "path": None}, "text": each} for each in texts]
    folder.mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    files = [folder / "a.parquet"]
    hub_pairs.make_from_parquet(files, caption_index, None, folder / "out", **options)
    return read_captions(folder / "out"), read_manifest(folder / "out")


def test_lists_of_texts(tmp_path, capfd):
    table, manifest = of_lists(tmp_path / "a", LISTS, None)
    assert (table.caption.tolist(), manifest["captions"]) == (["one", "three", "four"], "first")
    assert "a.parquet: 3 images have 6 captions; taken: first." in capfd.readouterr().err
    table, manifest = of_lists(tmp_path / "b", LISTS, None, captions="mean")
    assert ([[*texts] for texts in table.captions], manifest["captions"]) == (LISTS, "mean")
    table, manifest = of_lists(tmp_path / "c", LISTS, 0)
    assert (table.caption.tolist(), manifest.get("captions")) == (["one", "three", "four"], None)
    drawn = [
        of_lists(tmp_path / f"d{seed}", LISTS, None, captions="drawn", seed=seed)[0] for seed in range(9)
    ]
    assert {table.caption[2] for table in drawn} == {*LISTS[2]}
    with pytest.raises(InputError, match=r"a\.parquet: pair 1 has no text at `caption_index` 1"):
        of_lists(tmp_path / "e", LISTS, 1)
    with pytest.raises(
        InputError,
        match=r"a\.parquet: pair 0 has an empty text, or none; name one that all have in `caption_index`",
    ):
        of_lists(tmp_path / "f", [["one", None]], None)


def test_the_first_pairs_that_have_a_caption(tmp_path):
    """In the order of files and rows; what has no caption is passed over and counted, what comes after is not looked at."""
    files = []
    for name, texts in (("a", ["one", " ", None, "two"]), ("b", ["three", "", "four"]), ("c", ["five"])):
        rows = [{"image": {"bytes": png("red"), "path": None}, "text": text} for text in texts]
        if name == "c":
            rows = [{"image": {"bytes": b"no image", "path": None}, "text": "five"}]
        files.append(tmp_path / f"{name}.parquet")
        parquet.write_table(pa.Table.from_pylist(rows), files[-1])
    hub_pairs.make_from_parquet(files, None, 4, tmp_path / "out", first=True)
    table, manifest = read_captions(tmp_path / "out"), read_manifest(tmp_path / "out")
    assert table.caption.tolist() == ["one", "two", "three", "four"]
    assert table.source.tolist() == ["a.parquet"] * 2 + ["b.parquet"] * 2
    assert (manifest["pairs"], manifest["passed_over"]) == (4, 3)
    with pytest.raises(InputError, match="the data set has 4 pairs, not 5; correct `revision` or `size`"):
        hub_pairs.make_from_parquet(files[:2], None, 5, tmp_path / "few", first=True)


def test_columns_and_numbers_of_classes(tmp_path):
    table = [{"img": {"bytes": png("red"), "path": None}, "label": 7}]
    parquet.write_table(pa.Table.from_pylist(table), tmp_path / "a.parquet")
    hub_pairs.make_from_parquet([tmp_path / "a.parquet"], 0, None, tmp_path / "out", columns=["img", "label"])
    assert read_captions(tmp_path / "out").caption.tolist() == ["7"]
    with pytest.raises(InputError, match=r"column `image` is missing; it has img, label: name two of them"):
        hub_pairs.make_from_parquet([tmp_path / "a.parquet"], 0, None, tmp_path / "other")


def test_all_that_was_written_of_a_picture(tmp_path):
    parts = [("tree", "It is tall.", 0), ("leaf", "unsure", 1), ("blur", "no idea", 2)]
    masks = {
        str(i): dict(zip(("label", "caption", "mask_quality"), part, strict=True))
        for i, part in enumerate(parts)
    }
    entry = {"short_caption": "A park.", "extra_caption": " ", "mask_data": masks}
    for name in "ab":
        for folder, data in (
            ("photos", png("red")),
            ("complete", json.dumps({"image": f"{name}.png", **entry}).encode()),
        ):
            path = tmp_path / "in" / folder / f"{name}.{'png' if folder == 'photos' else 'json'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (tmp_path / "in/splits.json").write_text(json.dumps({"train": ["b.json"], "test": ["a.json"]}))
    dci.make(row(tmp_path / "in", split="train"), [], 0, tmp_path / "out")
    table = read_captions(tmp_path / "out")
    assert table.caption.tolist() == ["A park.\ntree: It is tall.\nleaf"]
    assert table.source.tolist() == ["b.json"]
    dci.make(row(tmp_path / "in"), [], 0, tmp_path / "both")
    assert len(read_captions(tmp_path / "both")) == 2
