"""Models by a path made ready: linked, converted or expanded; what lies there stays as it is."""

import json
from types import SimpleNamespace

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from helpers.tiny_models import save
from prh.errors import InputError
from prh.features.loading import load
from prh.features.local_models import make_ready
from prh.provenance import tree_digests, write_manifest

WORDS = [
    "<unk>",
    "<s>",
    "</s>",
    "▁a",
    "▁red",
    "▁cat",
    ".",
    "▁The",
    "l",
    "a",
    "t",
    "o",
    "n",
    "i",
    "c",
    "e",
    "▁",
]
WIDTH, BLOCKS = 32, 2


def ready(path, folder, type="causal_lm"):
    make_ready(SimpleNamespace(name="own", path=str(path), type=type), [], 0, folder)
    return folder


def save_gguf(path):
    """A LLaMA of two blocks with random weights, in float32, with its tokenizer, as a GGUF file."""
    rng, writer = np.random.default_rng(0), gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_vocab_size(len(WORDS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(WORDS)
    writer.add_token_scores([0.0] * len(WORDS))
    writer.add_token_types([2, 3, 3] + [1] * (len(WORDS) - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    shapes = {"token_embd": (len(WORDS), WIDTH), "output": (len(WORDS), WIDTH), "output_norm": (WIDTH,)}
    for i in range(BLOCKS):
        of_block = dict.fromkeys(("attn_norm", "ffn_norm"), (WIDTH,))
        of_block |= dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
        of_block |= {
            "ffn_gate": (2 * WIDTH, WIDTH),
            "ffn_up": (2 * WIDTH, WIDTH),
            "ffn_down": (WIDTH, 2 * WIDTH),
        }
        shapes |= {f"blk.{i}.{name}": shape for name, shape in of_block.items()}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.normal(size=shape).astype(np.float32) * 0.3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_folder_is_copied_and_stays_as_it_is(tmp_path):
    place = save("llama", tmp_path / "own")
    (place / "manifest.json").write_text("{}")  # as the folder of another run has one
    (place / "optimizer.pt").write_bytes(b"large")
    before = tree_digests(place)
    folder = ready(place, tmp_path / "ready")
    write_manifest(folder, name="own")
    assert tree_digests(place) == before
    assert not (folder / "optimizer.pt").exists()
    assert not (folder / "model.safetensors").samefile(
        place / "model.safetensors"
    )  # an edit there is none here
    model, tokenizer = load(folder, "causal_lm")
    assert len(tokenizer("a red cat")["input_ids"]) == 3
    assert model.config.num_hidden_layers == 2


def test_pickled_weights_become_safetensors(tmp_path):
    place = save("bert", tmp_path / "own")
    state = load_file(place / "model.safetensors")
    (place / "model.safetensors").unlink()
    torch.save(state, place / "pytorch_model.bin")
    folder = ready(place, tmp_path / "ready", "text_encoder")
    found = load_file(folder / "model.safetensors")
    assert all(torch.equal(found[name], state[name]) for name in state)
    assert (place / "pytorch_model.bin").is_file()
    load(folder, "text_encoder")


def test_a_pickle_of_more_than_tensors(tmp_path):
    place = save("bert", tmp_path / "own")
    (place / "model.safetensors").unlink()
    torch.save({"a": SimpleNamespace()}, place / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"row `own`: pytorch_model.bin: not plain weights"):
        ready(place, tmp_path / "ready", "text_encoder")


@pytest.mark.parametrize("named", ["folder", "file"])
def test_a_gguf_file_is_expanded(tmp_path, named):
    (tmp_path / "own").mkdir()
    save_gguf(tmp_path / "own/tiny.gguf")
    place = tmp_path / "own" if named == "folder" else tmp_path / "own/tiny.gguf"
    folder = ready(place, tmp_path / "ready")
    model, tokenizer = load(folder, "causal_lm")
    kept = next(
        t for t in gguf.GGUFReader(tmp_path / "own/tiny.gguf").tensors if t.name == "token_embd.weight"
    )
    np.testing.assert_array_equal(model.get_input_embeddings().weight.detach().numpy(), kept.data)
    assert model.config.num_hidden_layers == BLOCKS
    ids = tokenizer("a", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["▁a"]


def test_a_file_that_is_no_gguf(tmp_path):
    (tmp_path / "own.gguf").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"row `own`: own.gguf: transformers cannot read it"):
        ready(tmp_path / "own.gguf", tmp_path / "ready")


def test_timm_s_layout_is_taken_as_it_is(tmp_path):
    place = save("vit", tmp_path / "own")
    (place / "config.json").write_text(json.dumps({"architecture": "vit_tiny_patch16_224"}))
    folder = ready(place, tmp_path / "ready", "timm_vit")
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "model.safetensors", "preprocessor_config.json",
    ]  # fmt: skip
