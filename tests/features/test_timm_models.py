"""Models by timm with random weights: class token, mean over patches, attention pool; CNNs of several kinds."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from prh.audit import ways
from prh.errors import InputError

timm = pytest.importorskip(
    "timm", reason="timm has an environment of its own: make rehearse", exc_type=ImportError
)

SIDE = 64
TINY = {"img_size": SIDE, "patch_size": 16, "depth": 2, "embed_dim": 32, "num_heads": 2}
KINDS = {  # the type, the architecture, its arguments, layers, the default pooling
    "class token": ("timm_vit", "vit_tiny_patch16_224", TINY, 2, "class token of each block"),
    "registers": ("timm_vit", "vit_tiny_patch16_224", {**TINY, "reg_tokens": 3}, 2, "class token of each block"),
    "none": ("timm_vit", "vit_base_patch16_siglip_224", TINY, 2, "mean over the patches of each block"),
    "ResNet": ("timm_cnn", "resnet18", {}, 5, "average after each stage"),
    "ConvNeXt": ("timm_cnn", "convnext_atto", {}, 4, "average after each stage"),
    "EfficientNet": ("timm_cnn", "efficientnet_b0", {}, 5, "average after each stage"),
    "Swin": ("timm_cnn", "swin_tiny_patch4_window7_224", {"img_size": SIDE, "window_size": 2}, 4, "average after each stage"),
}  # fmt: skip
ROW = {"name": "own", "image_size": None, "mean": None, "std": None, "interpolation": None}
MACHINE = SimpleNamespace(device="cpu", weights={})


def saved(kind, folder):
    """A model of a kind in timm's layout: config.json and model.safetensors."""
    _, name, arguments, _, _ = KINDS[kind]
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **arguments)
    folder.mkdir()
    save_file(model.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    said = {
        "architecture": name,
        "model_args": arguments,
        "num_classes": model.num_classes,
        "pretrained_cfg": {
            "input_size": [3, SIDE, SIDE], "fixed_input_size": KINDS[kind][0] == "timm_vit", "interpolation": "bicubic", "crop_pct": 0.9,
            "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2], "num_classes": model.num_classes,
        },
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(said))
    return folder


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    from prh.features import timm_vit

    folder, rng = tmp_path / "data", np.random.default_rng(0)
    folder.mkdir()
    for i in range(3):
        Image.fromarray(rng.integers(0, 256, size=(80, 90, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    monkeypatch.setattr(timm_vit, "paths_of", lambda dataset: sorted(dataset.glob("*.png")))
    return folder


def extracted(kind, folder, dataset, pooling=None, **cells):
    from prh.features import timm_vit

    row = SimpleNamespace(**{**ROW, "type": KINDS[kind][0], **cells})
    settings = {"batch_images": 2, "pooling": pooling}
    layers, facts = timm_vit.features(row, folder, dataset, settings, MACHINE)
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(3)]})
    params = {"settings": settings, "weights": {}}
    again = ways.of_blocks(params, row, {"model": folder, "dataset": dataset}, table)
    for values, plain in zip(layers.values(), again, strict=True):
        np.testing.assert_allclose(values.numpy(), plain, rtol=1e-3, atol=2e-5)
    return layers, facts


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_each_layer_and_the_audit_makes_it_again(kind, dataset, tmp_path):
    layers, facts = extracted(kind, saved(kind, tmp_path / "own"), dataset)
    assert len(layers) == KINDS[kind][3]
    assert facts["pooling"] == KINDS[kind][4]
    assert all(len(torch.unique(values, dim=0)) == 3 for values in layers.values())


@pytest.mark.parametrize(
    ("kind", "pooling"), [("class token", "mean"), ("registers", "mean"), ("none", "map")]
)
def test_another_pooling(kind, pooling, dataset, tmp_path):
    from prh.features import timm_vit

    folder = saved(kind, tmp_path / "own")
    layers, _ = extracted(kind, folder, dataset, pooling)
    model, transform, _ = timm_vit.load(folder)
    images = torch.stack([transform(Image.open(dataset / f"{i}.png")) for i in range(3)])
    with torch.inference_mode():
        tokens = model.blocks(model.norm_pre(model.patch_drop(model._pos_embed(model.patch_embed(images)))))
        expected = tokens[:, model.num_prefix_tokens :].mean(dim=1)
        if pooling == "map":  # timm's own, of the last block
            expected = model.forward_head(model.forward_features(images), pre_logits=True)
    torch.testing.assert_close(layers["block2"], expected, rtol=1e-4, atol=1e-5)


def test_what_does_not_fit(dataset, tmp_path):
    folder = saved("none", tmp_path / "own")
    for pooling, says in (("cls", "has no class token"), (None, "image_size is 224, but the model has 64")):
        with pytest.raises(InputError, match=says):
            extracted("none", folder, dataset, pooling, **({} if pooling else {"image_size": 224}))
    with pytest.raises(InputError, match="VisionTransformer is of type `timm_vit`"):
        extracted("none", folder, dataset, type="timm_cnn")
