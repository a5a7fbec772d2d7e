"""What goes wrong outside of the program: bad files of every kind, and disks that are full.

docs/reliability.md counts these. Bad configurations and tables stand in test_configuration.py, bad captions in
test_datasets.py, wheels in test_sources.py, crates in test_exchange.py, artifacts changed after the run in test_audit.py.
"""

import os
import struct
import subprocess
import sys
import zipfile
import zlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from conftest import ROOT
from prh import cache, datasets, features, neighbors, provenance, sources, tables, vision
from prh.errors import InputError


def png(width, height):
    """A PNG file that says it has these sides, and holds no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def features_file(path):
    """A right feature file, as bytes."""
    features.write_features(path, {"a": torch.ones(8, 4), "b": torch.ones(8, 6)}, {"pairs": 8})
    return path.read_bytes()


def neighbors_file(path, ids=None):
    ids = torch.arange(8).roll(1).view(1, 8, 1).to(torch.int32) if ids is None else ids
    neighbors.write_index(path, ids, {"model": "m", "layers": "a"})
    return path.read_bytes()


def parquet_file(path):
    pd.DataFrame({"a": np.arange(1000)}).to_parquet(path)
    return path.read_bytes()


def emptied(data):
    return b""


def halved(data):
    return data[: len(data) // 2]


def shortened(data):
    return data[:-1]


def headless(data):
    return b"\0" * 16 + data[16:]


READERS = {
    "f.safetensors": (features_file, features.read_features),
    "n.safetensors": (neighbors_file, neighbors.read_index),
    "t.parquet": (parquet_file, lambda path: tables.read_parts([path])),
    "r.json": (lambda path: b'{"format": "prh-record 2", "run": {}}', provenance.read_record),
}
DAMAGES = (emptied, halved, shortened, headless)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_artifact_is_named(tmp_path, name, damage):
    write, read = READERS[name]
    path = tmp_path / name
    path.write_bytes(damage(write(path)))
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_swapped_artifacts_are_named(tmp_path):
    features_file(tmp_path / "n.safetensors")
    neighbors_file(tmp_path / "f.safetensors")
    with pytest.raises(InputError, match=r"f\.safetensors: not a prh-features 1 file"):
        features.read_features(tmp_path / "f.safetensors")
    with pytest.raises(InputError, match=r"n\.safetensors: not a prh-neighbors 1 file"):
        neighbors.read_index(tmp_path / "n.safetensors")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.full((1, 8, 1), 8, dtype=torch.int32), "ids outside 0 ... 7"),
        (torch.full((1, 8, 1), -1, dtype=torch.int32), "ids outside 0 ... 7"),
        (torch.zeros((8, 1), dtype=torch.int32), r"must be \(layers, n, k\)"),
    ],
)
def test_bad_neighbours(tmp_path, ids, message):
    neighbors_file(tmp_path / "n.safetensors", ids)
    with pytest.raises(InputError, match=f"n.safetensors: .*{message}"):
        neighbors.read_index(tmp_path / "n.safetensors")


def test_a_file_without_metadata(tmp_path):
    path = tmp_path / "f.safetensors"
    cache.save_file({"a": torch.ones(2)}, path)
    with pytest.raises(InputError, match="its format: none"):
        features.read_features(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable image"),
        (b"<svg></svg>", "not a readable image"),
        (b"not an image at all", "not a readable image"),
        (png(60_000, 60_000), "not a readable image"),  # a bomb: it would take 10 GB
        (png(10, 10), "not a readable image"),
        (png(0, 10), "not a readable image"),
    ],
)
def test_bad_images(tmp_path, data, message):
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(InputError, match=rf"x\.png: {message}"):
        datasets.read_image(tmp_path / "x.png")


def folder_with(tmp_path, captions):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    (tmp_path / "captions.csv").write_bytes(captions)
    return tmp_path


@pytest.mark.parametrize(
    "caption", ["x" * 100_000, "صورة قطة", "‮right to left", "emoji 🦄 and \u200d joiners"]
)
def test_unusual_captions_are_kept(tmp_path, caption):
    folder = folder_with(tmp_path, f"image,caption\na.png,{caption}\n".encode())
    datasets.make_from_folder(folder, None, 0, tmp_path / "out", "mine")
    assert datasets.read_captions(tmp_path / "out").caption.tolist() == [caption]


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ("image,caption\na.png,grün\n".encode("latin-1"), r"captions.csv: not UTF-8 \(byte"),
        (b"image,caption\na.png,   \n", "line 2: the caption is empty"),
        (b"image,caption\n/etc/passwd,a\n", "must lie within"),
        (b"\x00\x01\x02", "column `image` is missing|not a readable CSV"),
        (b'image,caption\n"a.png,a\n', "not a readable CSV|no such image|id "),
    ],
)
def test_bad_caption_files(tmp_path, captions, message):
    with pytest.raises(InputError, match=message):
        datasets.make_from_folder(folder_with(tmp_path, captions), None, 0, tmp_path / "out", "mine")


@pytest.mark.parametrize("damage", DAMAGES[:3])
def test_a_damaged_wheel(tmp_path, damage):
    path = tmp_path / "w.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.bin", os.urandom(1000))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"w\.whl: not a readable wheel; remove it"):
        sources.members([path], "*")


def test_a_wheel_with_a_changed_member(tmp_path):
    path = tmp_path / "w.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.bin", b"x" * 1000)
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"w\.whl: damaged .*remove it"):
        sources.read_member(path, "a.bin")


ONNX = SimpleNamespace(type="onnx_vit", name="v")


@pytest.mark.parametrize("data", [b"", b"no network", os.urandom(64)])
def test_a_damaged_network(tmp_path, data):
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(InputError, match=r"model\.onnx: not a readable ONNX model"):
        vision.load(ONNX, tmp_path)


def test_a_missing_shard(tmp_path):
    from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM

    from prh import language

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=10, **shape)).save_pretrained(tmp_path, max_shard_size="8KB")
    assert AutoConfig.from_pretrained(tmp_path).vocab_size == 10
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1
    shards[-1].unlink()
    with pytest.raises(InputError, match="not a complete model"):
        language.load(tmp_path, "causal_lm")


FULL = """
import resource, sys
from types import SimpleNamespace
sys.path.insert(0, {library!r})
import numpy as np, pandas as pd, torch
from PIL import Image
from prh import features, neighbors, provenance, tables
from prh.job import job

class Files(dict):
    def __iter__(self):
        return iter(self.values())

snakemake = SimpleNamespace(
    output=Files(made={name!r}), input=Files(), params=Files(), rule="try", log=["log.txt"], threads=1
)
with job(snakemake) as out:
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))  # no file may grow beyond
    {body}
"""
WRITES = {
    "x.safetensors": "features.write_features(out.made, {'a': torch.ones(100, 100)}, {})",
    "y.safetensors": "neighbors.write_index(out.made, torch.zeros(1, 100, 100, dtype=torch.int32), {})",
    "x.parquet": "pd.DataFrame({'a': np.random.rand(5000)}).to_parquet(out.made, index=False)",
    "x.csv": "tables.write_table(pd.DataFrame({'a': np.random.rand(5000)}), out.made)",
    "x.json": "provenance.write_json(out.made, list(range(5000)))",
    "x.png": "Image.fromarray(np.random.randint(0, 255, (99, 99, 3), dtype=np.uint8)).save(out.made)",
    "x.txt": "out.made.write_text('x' * 9999)",
    "folder": "out.made.mkdir(); (out.made / 'a.txt').write_text('x' * 9999)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITES)
def test_a_disk_that_is_full(tmp_path, name):
    """The job fails in one line, what was there before stays, and no half of a file is left."""
    (tmp_path / name).mkdir() if name == "folder" else (tmp_path / name).write_text("older")
    script = FULL.format(library=str(ROOT / "scripts"), name=name, body=WRITES[name])
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("try: ")
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "log.txt"])
    assert name == "folder" or (tmp_path / name).read_text() == "older"
