"""The set `newer` of config/models_paper.tsv: its rows' numbers, and its vision models' stand-ins in batches as one by one."""

from types import SimpleNamespace

import pytest
import standins
import torch
import transformers
from transformers import AutoImageProcessor, AutoModel, AutoModelForCausalLM

from prh.features import vision
from prh.features.adapters import ADAPTERS
from prh.sources import hub_pairs
from prh.sources.datasets import paths_of
from prh.sources.images import open_image

ROWS = {row["name"]: row for row in standins.rows() if "newer" in row["sets"].split()}
LLAMA = {"vocab_size": 128256, "num_key_value_heads": 8}
QWEN = {"num_key_value_heads": 8, "head_dim": 128}
GEMMA = {"vocab_size": 262144, "num_key_value_heads": 1, "head_dim": 256}
# What the repositories' configurations say, by the row: the class, width, blocks, the MLP's width, heads, and what differs from the defaults.
CONFIGURATIONS = {
    "qwen3-0.6b": ("Qwen3Config", 1024, 28, 3072, 16, {**QWEN, "tie_word_embeddings": True}),
    "qwen3-1.7b": ("Qwen3Config", 2048, 28, 6144, 16, {**QWEN, "tie_word_embeddings": True}),
    "qwen3-4b": ("Qwen3Config", 2560, 36, 9728, 32, {**QWEN, "tie_word_embeddings": True}),
    "qwen3-8b": ("Qwen3Config", 4096, 36, 12288, 32, QWEN),
    "olmo-2-1b": ("Olmo2Config", 2048, 16, 8192, 16, {"vocab_size": 100352}),
    "olmo-2-7b": ("Olmo2Config", 4096, 32, 11008, 32, {"vocab_size": 100352}),
    "gemma-3-270m": ("Gemma3TextConfig", 640, 18, 2048, 4, GEMMA),
    "gemma-3-1b": ("Gemma3TextConfig", 1152, 26, 6912, 4, GEMMA),
    "llama-3.2-1b": ("LlamaConfig", 2048, 16, 8192, 32, {**LLAMA, "tie_word_embeddings": True}),
    "llama-3.2-3b": ("LlamaConfig", 3072, 28, 8192, 24, {**LLAMA, "tie_word_embeddings": True}),
    "llama-3.1-8b": ("LlamaConfig", 4096, 32, 14336, 32, LLAMA),
    "smollm3-3b": ("SmolLM3Config", 2048, 36, 11008, 16, {}),
}
TOWERS = {  # of SigLIP 2: width of both, blocks, the MLP's width, heads, side and patch
    "siglip2-base-patch16-224": (768, 12, 3072, 12, 224, 16),
    "siglip2-large-patch16-256": (1024, 24, 4096, 16, 256, 16),
}
OF_TIMM = [name for name, row in ROWS.items() if row["type"] == "timm_vit"]


def shape_of(width, blocks, inner, heads):
    """A configuration's sizes by their names."""
    return {
        "hidden_size": width,
        "num_hidden_layers": blocks,
        "intermediate_size": inner,
        "num_attention_heads": heads,
    }


def counted(auto, config):
    """Parameters of a model of a configuration, none of them twice, without memory for them."""
    with torch.device("meta"):
        return sum(value.numel() for value in auto.from_config(config).parameters())


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_numbers_of_a_language_model_follow_from_its_configuration(name):
    kind, width, blocks, inner, heads, more = CONFIGURATIONS[name]
    config = getattr(transformers, kind)(**shape_of(width, blocks, inner, heads), **more)
    row = ROWS[name]
    assert (int(row["width"]), int(row["layers"])) == (width, blocks + 1)
    assert int(row["parameters"]) == counted(AutoModelForCausalLM, config)


def test_gemma_3_4b_is_counted_with_its_images():
    text = {**shape_of(2560, 34, 10240, 8), "num_key_value_heads": 4, "head_dim": 256}
    images = {**shape_of(1152, 27, 4304, 16), "image_size": 896, "patch_size": 14, "vision_use_head": False}
    config = transformers.Gemma3Config(text_config=text, vision_config=images)
    row = ROWS["gemma-3-4b"]
    assert (int(row["width"]), int(row["layers"])) == (2560, 35)
    assert int(row["parameters"]) == counted(AutoModelForCausalLM, config)


@pytest.mark.parametrize("name", TOWERS)
def test_numbers_of_siglip_2_follow_from_its_configuration(name):
    *sizes, side, patch = TOWERS[name]
    text = {**shape_of(*sizes), "vocab_size": 256000, "max_position_embeddings": 64}
    config = transformers.SiglipConfig(
        text_config=text, vision_config={**shape_of(*sizes), "image_size": side, "patch_size": patch}
    )
    row = ROWS[name]
    assert (int(row["width"]), int(row["layers"])) == (
        sizes[0],
        sizes[1] + 1,
    )  # no class token: the embedding too
    assert int(row["parameters"]) == counted(AutoModel, config)


@pytest.mark.parametrize("name", OF_TIMM)
def test_numbers_of_a_vit_follow_from_timm(name):
    timm = pytest.importorskip(
        "timm", reason="timm has an environment of its own: make rehearse", exc_type=ImportError
    )
    facts, row = timm.models.get_pretrained_cfg(name), ROWS[name]
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False, num_classes=facts.num_classes)
    assert row["repo"] == facts.hf_hub_id
    assert row["licence"] == facts.license
    assert (int(row["width"]), int(row["layers"])) == (model.embed_dim, len(model.blocks))
    assert int(row["parameters"]) == sum(value.numel() for value in model.parameters())


def test_every_row_is_known_here_and_off_by_default():
    assert {*ROWS} == {*CONFIGURATIONS, *TOWERS, *OF_TIMM, "gemma-3-4b"}
    assert {row["sets"] for row in ROWS.values()} == {"newer"}
    everything = standins.rows()
    for column in ("name", "label", "repo"):
        assert len({row[column] for row in everything}) == len(everything)
    for row in ROWS.values():
        assert row["modality"] == ADAPTERS[row["type"]].modality
        assert not row["revision"]
        assert row["repo"].split("/")[0] not in row["name"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Paths of made-up pictures."""
    root = tmp_path_factory.mktemp("pictures")
    standins.pairs(root, count=12)
    hub_pairs.make_from_parquet(sorted(root.rglob("*.parquet")), 0, 12, root / "data", commit="c")
    return root / "data"


@pytest.mark.parametrize("name", TOWERS)
def test_siglip_2_in_batches_as_one_by_one(name, pictures, tmp_path):
    row = SimpleNamespace(
        **{"image_size": None, "mean": None, "std": None, "interpolation": None, **ROWS[name]}
    )
    standins.two_towers(tmp_path, row.repo)
    folder = tmp_path / "models" / row.repo / "main"
    machine, settings = SimpleNamespace(device="cpu", weights={}), {"batch_images": 5, "pooling": None}
    layers, facts = vision.features(row, folder, pictures, settings, machine)
    assert facts["pooling"] == "mean over the patches of each layer"
    assert {key: tuple(values.shape) for key, values in layers.items()} == dict.fromkeys(
        ("embedding", "block1", "block2"), (12, standins.WIDTH)
    )
    tower = AutoModel.from_pretrained(folder).vision_model.eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    for i, path in enumerate(paths_of(pictures)):
        given = processor(open_image(path).convert("RGB"), return_tensors="pt")
        with torch.inference_mode():
            states = tower(**given, output_hidden_states=True).hidden_states
        for values, state in zip(layers.values(), states, strict=True):
            assert state.shape[1] == 49
            torch.testing.assert_close(values[i], state[0].mean(dim=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OF_TIMM)
def test_vits_of_timm_in_batches_as_one_by_one(name, pictures, tmp_path):
    pytest.importorskip(
        "timm", reason="timm has an environment of its own: make rehearse", exc_type=ImportError
    )
    from prh.features import timm_vit

    repo = ROWS[name]["repo"]
    standins.vision_model(tmp_path, repo)
    model, transform, _ = timm_vit.load(tmp_path / "models" / repo / "main")
    pooling, paths = timm_vit.pooling_of(model), paths_of(pictures)
    assert pooling == ("mean" if name.startswith("aimv2") else "cls")
    layers = timm_vit.extract_features(model, transform, paths, 5, pooling)
    outputs = []
    for block in model.blocks:
        block.register_forward_hook(lambda _module, _inputs, output: outputs.append(output[0]))
    for i, path in enumerate(paths):
        outputs.clear()
        with torch.inference_mode():
            model(transform(open_image(path).convert("RGB"))[None])
        assert len(outputs) == len(layers) == standins.BLOCKS
        for values, tokens in zip(layers.values(), outputs, strict=True):
            expected = tokens[0] if pooling == "cls" else tokens.mean(dim=0)
            torch.testing.assert_close(values[i], expected, rtol=1e-4, atol=1e-5)
    assert layers["block1"].std(dim=0).min() > 1e-5  # what differs between pictures reaches every unit
