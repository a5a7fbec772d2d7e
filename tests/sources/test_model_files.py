"""What a model's files say of it before it is loaded."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers.tiny_models import LANGUAGE, VISION, save
from prh.errors import InputError
from prh.sources.model_files import local_files, size_of


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert_masked", "vit", "siglip"])
def test_size_from_the_files(kind, tmp_path):
    files = local_files(save(kind, tmp_path / "own"))
    weights = load_file(tmp_path / "own/model.safetensors")
    modality = "vision" if kind in VISION else "language"
    assert kind in {**LANGUAGE, **VISION}
    assert files.layout == "transformers"
    assert files.names[0] == "model.safetensors"
    assert size_of(files, modality) == (sum(value.numel() for value in weights.values()), 3, 16)


def test_a_home_directory_and_a_gguf_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/small.gguf").write_bytes(bytes(100))
    for path in ("~/own", "~/own/small.gguf"):
        files = local_files(path)
        assert (files.layout, files.names, files.folder) == ("gguf", ["small.gguf"], tmp_path / "own")
        assert size_of(files, "language") == (200, None, None)


def test_plain_weights_before_pickled_ones(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    torch.save({"a": torch.zeros(2, 3)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "optimizer.pt").write_bytes(b"")
    assert local_files(tmp_path).names == ["pytorch_model.bin", "config.json"]
    save_file({"a": torch.zeros(2, 3)}, tmp_path / "model.safetensors")
    assert local_files(tmp_path).names == ["model.safetensors", "config.json"]
    assert size_of(local_files(tmp_path), "language").parameters == 6


def test_what_is_no_model(tmp_path):
    with pytest.raises(InputError, match="has no weights"):
        local_files(tmp_path)
