"""Features in shards: each as the whole has them, merged to the whole's bytes, or one line that names the shard."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from helpers.tiny_models import save
from prh.errors import InputError
from prh.features import language, vision
from prh.features.batching import in_batches
from prh.features.layers import read_features, read_metadata, read_rows, write_features
from prh.features.shards import merge
from prh.provenance import digest, file_digest, part_digest
from prh.sources.datasets import Part, write_dataset

FACTS = {"model": "a model “x”", "pairs": 11, "pooling": "mean"}
TEXTS = {"mode": "robust", "pooling": "mean", "prompt": None, "batch_tokens": 12, "long_captions": "error"}
MACHINE = SimpleNamespace(device="cpu", gpus=0, weights={})
CAPTIONS = ["a red cat", "dog", "a blue dog runs .", "cat sleeps", "a a a a a a a", "red"] * 4
PART = 8


def layers():
    """Layers of three widths, of which no two heads have the same length."""
    return {f"layer{i}": torch.randn(11, width) for i, width in enumerate((3, 5, 128))}


def written(folder, made, ends=(4, 8, 11), **how):
    """The layers in shards that end there; each says that two captions were cut."""
    paths = []
    for number, (begin, end) in enumerate(zip((0, *ends), ends, strict=False)):
        part = {name: values[begin:end] for name, values in made.items()}
        paths.append(folder / f"{number:05d}.safetensors")
        write_features(paths[-1], part, FACTS | {"begin": begin, "captions_cut": 2}, **how)
    return paths


@pytest.mark.parametrize("store", ["float32", "float16"])
@pytest.mark.parametrize("ends", [(4, 8, 11), (11,), (1, 2, 11)])
def test_merged_are_the_bytes_of_the_whole(tmp_path, store, ends):
    made = layers()
    write_features(tmp_path / "whole", made, FACTS | {"captions_cut": 2 * len(ends)}, store)
    merge(written(tmp_path, made, ends, store=store), tmp_path / "merged")
    assert (tmp_path / "merged").read_bytes() == (tmp_path / "whole").read_bytes()


def test_merged_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("prh.features.shards.PIECE", 7)
    made = layers()
    merge(written(tmp_path, made), tmp_path / "merged")
    for one, other in zip(made.values(), read_features(tmp_path / "merged")[0], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda paths: paths.pop(1), "00002.safetensors: begins with item 8, not 4"),
        (lambda paths: paths.pop(), "00001.safetensors: ends with item 7 of 11; a shard is missing"),
        (lambda paths: paths[1].write_bytes(paths[1].read_bytes()[:-1]), "00001.safetensors: cannot be read"),
        (lambda paths: paths[1].write_bytes(b""), "00001.safetensors: cannot be read"),
        (lambda paths: paths[1].unlink(), "00001.safetensors: cannot be read"),
        (
            lambda paths: write_features(paths[1], {"layer0": torch.ones(4, 3)}, FACTS | {"begin": 4}),
            "00001.safetensors: is not of the same model, data set or layers as",
        ),
        (
            lambda paths: write_features(
                paths[1], {k: v[4:8] for k, v in layers().items()}, FACTS | {"begin": 4, "model": "another"}
            ),
            "00001.safetensors: is not of the same model",
        ),
        (lambda paths: write_features(paths[1], layers(), FACTS), "00001.safetensors: not a shard of features"),
    ],
    ids=["left-out", "last-missing", "short", "empty", "gone", "layers", "model", "whole"],
)  # fmt: skip
def test_a_shard_that_does_not_fit_is_named(tmp_path, change, says):
    paths = written(tmp_path, layers())
    change(paths)
    with pytest.raises(InputError, match=says):
        merge(paths, tmp_path / "merged")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A data set of as many pairs as captions, each with two captions; tiny models of both sides."""
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "data/images").mkdir(parents=True)
    for i in range(len(CAPTIONS)):
        Image.new("RGB", (40, 36), (10 * i, 255 - 7 * i, 99)).save(folder / f"data/images/{i}.png")
    rows = [(str(i), f"images/{i}.png", text, "") for i, text in enumerate(CAPTIONS)]
    several = [[text, f"a {text}"] for text in CAPTIONS]
    write_dataset(folder / "data", rows)
    (folder / "several").mkdir()
    write_dataset(folder / "several", rows, several, captions="mean")
    save("bert", folder / "bert")
    save("vit", folder / "vit")
    return folder


def parts(folder):
    """The data set in parts of `PART`."""
    return [Part(folder, begin, begin + PART) for begin in range(0, len(CAPTIONS), PART)]


@pytest.mark.parametrize(("data", "window"), [("data", 4), ("several", 8)])
def test_captions_in_parts_of_whole_windows_have_the_same_bits(pairs, monkeypatch, data, window):
    monkeypatch.setattr(language, "WINDOW", window)
    whole, _ = language.features(None, pairs / "bert", pairs / data, TEXTS, MACHINE)
    found = [language.features(None, pairs / "bert", part, TEXTS, MACHINE)[0] for part in parts(pairs / data)]
    for name, values in whole.items():
        assert torch.equal(values, torch.cat([layers[name] for layers in found]))


def test_no_batch_holds_items_of_two_windows():
    batches, lengths, windows = [], [1, 2, 3, 1, 1, 1, 1, 9], [0, 0, 0, 1, 1, 2, 2, 2]
    in_batches(list("abcdefgh"), 6, lambda part: batches.append("".join(part)), "", lengths, windows)
    assert batches == ["ab", "c", "de", "fg", "h"]


def test_images_in_parts_of_whole_batches_have_the_same_bits(pairs):
    row = SimpleNamespace(name="v", **dict.fromkeys(("image_size", "mean", "std", "interpolation")))
    given = {"batch_images": 4}
    whole, _ = vision.features(row, pairs / "vit", pairs / "data", given, MACHINE)
    found = [vision.features(row, pairs / "vit", part, given, MACHINE)[0] for part in parts(pairs / "data")]
    for name, values in whole.items():
        assert torch.equal(values, torch.cat([layers[name] for layers in found]))


def test_float16_is_said_and_read_as_float32(tmp_path):
    made = {"block1": torch.randn(50, 40), "block2": 1000 * torch.randn(50, 40)}
    write_features(tmp_path / "f", made, {"model": "m"}, "float16")
    read, names, metadata = read_features(tmp_path / "f")
    assert (names, metadata) == (list(made), {"model": "m", "store": "float16"})
    for values, found in zip(made.values(), read, strict=True):
        assert found.dtype == torch.float32
        large = values.abs() > 1e-4  # below 6e-5 float16 has fewer digits
        assert ((found - values).abs()[large] <= 2**-11 * values.abs()[large]).all()
    assert (tmp_path / "f").stat().st_size < 2 * 2 * 50 * 40 + 1000
    some, _ = read_rows(tmp_path / "f", [7, 3])
    assert torch.equal(some[1], read[1][[7, 3]])
    assert read_metadata(tmp_path / "f") == metadata


def test_a_value_too_large_for_float16_is_named(tmp_path):
    made = {"block1": torch.ones(3, 4), "block2": torch.ones(3, 4)}
    made["block2"][1, 2] = -70000
    message = (
        "layer block2: item 1 has a value of 70000, float16 ends at 65504; set `features.store` to float32"
    )
    with pytest.raises(InputError, match=message):
        write_features(tmp_path / "f", made, {}, "float16")
    assert not (tmp_path / "f").exists()


def test_the_digest_of_a_folder_of_which_a_part_was_read(pairs):
    folder = pairs / "data"
    assert part_digest(folder, ["captions.parquet", "images/3.png"]) == digest(folder)
    kept = (folder / "images/3.png").read_bytes()
    whole = digest(folder)
    try:
        (folder / "images/3.png").write_bytes(kept + b"x")
        assert digest(folder) != whole
        assert part_digest(folder, ["images/4.png"]) == whole  # of what was not read the manifest is believed
        with pytest.raises(InputError, match=r"images/3.png: not what manifest.json says"):
            part_digest(folder, ["images/3.png", "images/4.png"])
    finally:
        (folder / "images/3.png").write_bytes(kept)
    assert file_digest(folder / "images/3.png")
