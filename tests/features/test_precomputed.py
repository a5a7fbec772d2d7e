"""Features that others computed, as a model: read, checked against the data set, compared by the audit."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from prh.audit.ways import WAYS
from prh.errors import InputError
from prh.features.adapters import maker_of, module_of
from prh.features.precomputed import features, make_ready
from prh.provenance import file_digest, read_manifest, write_manifest
from prh.sources.model_files import local_files, size_of

LAYERS = [torch.randn(6, 4, generator=torch.Generator().manual_seed(i)) for i in range(3)]
STACKED = torch.stack(LAYERS, dim=1)
FILES = {
    "a.safetensors": lambda path: save_file({f"layer_{i}": layer for i, layer in enumerate(LAYERS)}, path),
    "a.npz": lambda path: np.savez(path, **{f"l{i}": layer.numpy() for i, layer in enumerate(LAYERS)}),
    "a.npy": lambda path: np.save(path, STACKED.numpy()),
    "old.npy": lambda path: np.lib.format.write_array(path.open("wb"), STACKED.numpy(), version=(2, 0)),
    "official.pt": lambda path: torch.save({"feats": STACKED, "num_params": 7}, path),
}


def row(path, **more):
    return SimpleNamespace(name="own", type="features", modality="vision", path=str(path), **more)


def data_of(folder, pairs):
    folder.mkdir()
    write_manifest(folder, pairs=pairs)
    return folder


def ready(path, folder):
    found = make_ready(row(path), [], 0, folder)
    write_manifest(folder, **found)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_is_a_model(name, tmp_path):
    FILES[name](tmp_path / name)
    folder = ready(tmp_path / name, tmp_path / "model")
    said = read_manifest(folder)
    assert (said["pairs"], said["file_sha256"]) == (6, file_digest(tmp_path / name))
    layers, facts = features(row(name), folder, data_of(tmp_path / "data", 6), {}, None)
    assert list(layers) == ["layer0", "layer1", "layer2"]
    assert all(torch.equal(a, b) for a, b in zip(layers.values(), LAYERS, strict=True))
    assert facts == {"pooling": "as in the file that was given"}


def test_low_precision_becomes_float32_of_the_same_values(tmp_path):
    torch.save({"feats": STACKED.bfloat16()}, tmp_path / "a.pt")
    layers, _ = features(
        row(""), ready(tmp_path / "a.pt", tmp_path / "m"), data_of(tmp_path / "d", 6), {}, None
    )
    assert layers["layer2"].dtype == torch.float32
    assert torch.equal(layers["layer2"], LAYERS[2].bfloat16().float())


def test_another_number_of_pairs_is_named_with_both(tmp_path):
    FILES["official.pt"](tmp_path / "a.pt")
    folder = ready(tmp_path / "a.pt", tmp_path / "model")
    says = "model table, row `own`: has features of 6 pairs, but data set `data` has 7; give features of its pairs"
    with pytest.raises(InputError, match=says):
        features(row(""), folder, data_of(tmp_path / "data", 7), {}, None)


def test_its_own_module_makes_it_ready():
    assert maker_of(row("a.npy", repo="")) == module_of(row("a.npy")) == "prh.features.precomputed"


@pytest.mark.parametrize("name", FILES)
def test_sizes_without_loading(name, tmp_path):
    FILES[name](tmp_path / name)
    files = local_files(tmp_path / name)
    assert (files.layout, files.names) == ("features", [name])
    size = (tmp_path / name).stat().st_size
    known = (size // 2, None, None) if name.endswith(".pt") else (72, 3, 4)
    assert size_of(files, "vision") == known


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "given"])
def test_the_audit_takes_rows_of_the_file(kept, tmp_path):
    FILES["a.npy"](tmp_path / "a.npy")
    folder = ready(tmp_path / "a.npy", tmp_path / "model")
    table = pd.DataFrame({"caption": list("abcdef")}).iloc[[1, 4]]
    if kept:  # what lies at the path now is another file
        np.save(tmp_path / "a.npy", -STACKED.numpy())
    found = WAYS["rows"]({}, row(tmp_path / "a.npy"), {"model": folder}, table)
    assert [layer.shape for layer in found] == [(2, 4)] * 3
    assert all(np.array_equal(a, b[[1, 4]].double()) for a, b in zip(found, LAYERS, strict=True))
