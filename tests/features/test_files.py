"""Features that others computed: every kind of file gives the same layers; what is not features is named in one line."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from prh.alignment.neighbors import write_index
from prh.errors import InputError
from prh.features.files import read_any_features
from prh.features.layers import write_features

LAYERS = [torch.randn(6, 4, generator=torch.Generator().manual_seed(i)) for i in range(12)]
NAMED = {f"layer_{i}": layer for i, layer in enumerate(LAYERS)}
STACKED = torch.stack(LAYERS, dim=1)
MASK = torch.ones(6, 9, dtype=torch.int64)

GOOD = {
    "ours.safetensors": lambda path: write_features(path, NAMED, {"model": "m"}),
    "theirs.safetensors": lambda path: save_file(NAMED, path, metadata={"by": "others"}),
    "plain.safetensors": lambda path: save_file(NAMED, path),
    "stacked.safetensors": lambda path: save_file({"feats": STACKED}, path),
    "named.npz": lambda path: np.savez(path, **{name: layer.numpy() for name, layer in NAMED.items()}),
    "unnamed.npz": lambda path: np.savez_compressed(path, *[layer.numpy() for layer in LAYERS]),
    "stacked.npz": lambda path: np.savez(path, STACKED.numpy()),
    "stacked.npy": lambda path: np.save(path, STACKED.numpy()),
    "big-endian.npy": lambda path: np.save(path, STACKED.numpy().astype(">f4")),
    "official.pt": lambda path: torch.save({"feats": STACKED, "num_params": 7, "mask": MASK}, path),
    "list.pt": lambda path: torch.save(LAYERS, path),
    "mapping.pt": lambda path: torch.save(NAMED, path),
    "tensor.PT": lambda path: torch.save(STACKED, path),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_of_file_gives_the_layers_in_order(name, tmp_path):
    GOOD[name](tmp_path / name)
    found = read_any_features(tmp_path / name)
    assert len(found) == 12
    assert all(torch.equal(a, b) for a, b in zip(found, LAYERS, strict=True))


def test_a_matrix_is_one_layer_and_low_precision_is_kept(tmp_path):
    np.save(tmp_path / "one.npy", LAYERS[0].numpy().astype(np.float16))
    (layer,) = read_any_features(tmp_path / "one.npy")
    assert (layer.dtype, tuple(layer.shape)) == (torch.float16, (6, 4))
    torch.save({"feats": STACKED.bfloat16()}, tmp_path / "official.pt")
    assert [layer.dtype for layer in read_any_features(tmp_path / "official.pt")] == [torch.bfloat16] * 12


class Planted:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("planted",)


def halved(write):
    def to(path):
        write(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return to


def emptied_archive(path):
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    path.write_bytes(buffer.getvalue())


NAN = STACKED.clone()
NAN[4, 2, 0] = torch.nan
DAMAGED = "cannot be read as a {} file of arrays; it is damaged, or holds objects"
BAD = {
    "missing.npy": (lambda path: None, "no such file"),
    "folder.npy": (Path.mkdir, "no such file"),
    "text.csv": (
        lambda path: path.write_text("1,2"),
        "no feature file; give one of .safetensors, .npz, .npy, .pt",
    ),
    "empty.npy": (Path.touch, DAMAGED.format(".npy")),
    "empty.npz": (Path.touch, DAMAGED.format(".npz")),
    "empty.pt": (Path.touch, DAMAGED.format(".pt")),
    "empty.safetensors": (Path.touch, DAMAGED.format(".safetensors")),
    "halved.npy": (halved(GOOD["stacked.npy"]), DAMAGED.format(".npy")),
    "halved.npz": (halved(GOOD["named.npz"]), DAMAGED.format(".npz")),
    "halved.pt": (halved(GOOD["official.pt"]), DAMAGED.format(".pt")),
    "halved.safetensors": (halved(GOOD["ours.safetensors"]), DAMAGED.format(".safetensors")),
    "hostile.pt": (lambda path: torch.save({"feats": Planted()}, path), DAMAGED.format(".pt")),
    "objects.npy": (lambda path: np.save(path, np.array([{}, 1], dtype=object)), DAMAGED.format(".npy")),
    "nothing.npz": (emptied_archive, "holds no array"),
    "integers.npy": (lambda path: np.save(path, np.ones((6, 4), dtype=int)), "`array` is torch.int64"),
    "words.npy": (lambda path: np.save(path, np.array([["a"]])), "features must be floating-point numbers"),
    "number.pt": (lambda path: torch.save({"feats": 3.5}, path), "`feats` is float; features must be"),
    "flat.npy": (lambda path: np.save(path, np.ones(6)), "`array` has the shape (6,)"),
    "no-items.npy": (lambda path: np.save(path, np.ones((0, 4))), "`array` has the shape (0, 4)"),
    "mixed.npz": (
        lambda path: np.savez(path, a=np.ones((6, 4)), b=np.ones((6, 2, 4))),
        "`b` has the shape (6, 2, 4)",
    ),
    "unequal.npz": (
        lambda path: np.savez(path, np.ones((6, 4)), np.ones((5, 4))),
        "layer 1 has 5 rows, layer 0 has 6",
    ),
    "nan.pt": (lambda path: torch.save({"feats": NAN}, path), "layer 2, row 4: NaN or infinity"),
    "neighbours.safetensors": (
        lambda path: write_index(path, torch.zeros(2, 6, 3, dtype=torch.int32), {}),
        "a prh-neighbors 1 file, no features",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_features_is_named(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write, message = BAD[name]
    write(tmp_path / name)
    with pytest.raises(InputError) as caught:
        read_any_features(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert message in str(caught.value)
    assert not Path("planted").exists()
