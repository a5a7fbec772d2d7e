"""The adapter `vision`: models of transformers with random weights, as save_pretrained writes them."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from transformers import AutoModel

from helpers.tiny_models import SIDE, VISION, save
from prh.audit import ways
from prh.errors import InputError
from prh.features import vision

ROW = {"name": "own", "image_size": None, "mean": None, "std": None, "interpolation": None}
NO_CLASS_TOKEN = ("siglip", "siglip_vision", "convnext", "swin")
MACHINE = SimpleNamespace(device="cpu", weights={})


@pytest.fixture
def dataset(tmp_path):
    """A data set's folder with five pictures of noise, none of them square."""
    folder, rng = tmp_path / "data", np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    names = [f"images/{i}.png" for i in range(5)]
    for i, name in enumerate(names):
        pixels = rng.integers(0, 256, size=(40 + 7 * i, 61, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    pd.DataFrame({"image": names}).to_parquet(folder / "captions.parquet")
    return folder


def extracted(folder, dataset, pooling=None, **cells):
    row = SimpleNamespace(**{**ROW, **cells})
    return vision.features(row, folder, dataset, {"batch_images": 2, "pooling": pooling}, MACHINE)


@pytest.fixture(autouse=True)
def paths(monkeypatch):
    monkeypatch.setattr(vision, "paths_of", lambda dataset: sorted((dataset / "images").glob("*.png")))


@pytest.mark.parametrize("kind", VISION)
def test_every_kind_gives_each_layer_and_the_audit_makes_it_again(kind, dataset, tmp_path):
    folder = save(kind, tmp_path / "own")
    layers, _ = extracted(folder, dataset)
    names = ["stage1", "stage2"] if kind in ("convnext", "swin") else ["block1", "block2"]
    assert list(layers) == (["embedding"] if kind in NO_CLASS_TOKEN else []) + names
    assert all(len(values) == 5 for values in layers.values())
    assert layers[names[-1]].shape[1] == 16
    params = {"settings": {"pooling": None}, "weights": {}}
    table = pd.read_parquet(dataset / "captions.parquet")
    again = ways.of_states(params, SimpleNamespace(**ROW), {"model": folder, "dataset": dataset}, table)
    for values, plain in zip(layers.values(), again, strict=True):
        assert len(torch.unique(values, dim=0)) == 5  # pictures are told apart
        np.testing.assert_allclose(values.numpy(), plain, rtol=1e-3, atol=2e-5)


def test_a_vit_s_tokens_pooled(dataset, tmp_path):
    folder = save("dinov2_registers", tmp_path / "own")
    pixels = vision.pixels_of(SimpleNamespace(**ROW), folder)
    image = pixels(Image.open(dataset / "images/0.png"))[None]
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder)(
            pixel_values=torch.as_tensor(image), output_hidden_states=True
        ).hidden_states
    assert states[-1].shape == (1, 1 + 3 + 16, 16)
    by_class, facts = extracted(folder, dataset)
    torch.testing.assert_close(by_class["block2"][0], states[2][0, 0])
    assert facts["pooling"] == "class token of each layer"
    by_mean, facts = extracted(folder, dataset, "mean")
    torch.testing.assert_close(by_mean["block1"][0], states[1][0, 4:].mean(dim=0))
    assert facts["pooling"] == "mean over the patches of each layer"


@pytest.mark.parametrize("kind", ["siglip", "siglip_vision"])
def test_map_of_the_last_layer_is_the_model_s_own_pooled_output(kind, dataset, tmp_path):
    folder = save(kind, tmp_path / "own")
    found, _ = extracted(folder, dataset, "map")
    model = AutoModel.from_pretrained(folder)
    model = getattr(model, "vision_model", model)
    pixels = vision.pixels_of(SimpleNamespace(**ROW), folder)
    images = torch.stack([torch.as_tensor(pixels(Image.open(path))) for path in vision.paths_of(dataset)])
    with torch.inference_mode():
        torch.testing.assert_close(found["block2"], model(pixel_values=images).pooler_output)


def test_of_clip_the_vision_tower_is_taken(dataset, tmp_path):
    whole = save("clip", tmp_path / "whole")
    AutoModel.from_pretrained(whole).vision_model.save_pretrained(tmp_path / "tower")
    (tmp_path / "tower/preprocessor_config.json").write_text((whole / "preprocessor_config.json").read_text())
    a, b = (extracted(folder, dataset)[0] for folder in (whole, tmp_path / "tower"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_masked_autoencoder_masks_nothing(dataset, tmp_path):
    folder = save("vit_mae", tmp_path / "own")
    torch.manual_seed(1)
    a, _ = extracted(folder, dataset, "mean")
    torch.manual_seed(2)
    b, _ = extracted(folder, dataset, "mean")
    assert all(torch.equal(a[name], b[name]) for name in a)
    with torch.inference_mode():
        patches = vision.load(folder)(torch.zeros(1, 3, SIDE, SIDE), output_hidden_states=True)
    assert patches.hidden_states[0].shape[1] == 1 + 16


def test_pixels_are_those_of_the_image_processor(tmp_path):
    folder = save("vit", tmp_path / "own")
    pixels = vision.pixels_of(SimpleNamespace(**ROW), folder)(Image.new("RGB", (50, 80), (255, 102, 0)))
    assert pixels.shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(np.asarray(pixels)[:, 5, 7], [1.0, 0.0, -1.5], atol=1e-6)


def test_without_an_image_processor_the_row_says_how(dataset, tmp_path):
    with_one = save("vit", tmp_path / "with")
    without = save("vit", tmp_path / "without", processor=False)
    with pytest.raises(
        InputError, match=r"no image processor .* say image_size, mean, std, interpolation in"
    ):
        extracted(without, dataset)
    said = {"image_size": SIDE, "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2], "interpolation": "bilinear"}
    square = tmp_path / "square"
    (square / "images").mkdir(parents=True)
    Image.open(dataset / "images/0.png").crop((0, 0, 40, 40)).save(square / "images/0.png")
    a, b = (extracted(folder, square, **said)[0] for folder in (with_one, without))
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("image_size", 224, "image_size is 224, but the model has 32"),
        ("mean", [0.5, 0.5, 0.5], r"mean is \[0.5, 0.5, 0.5\], but the model has \[0.5, 0.4, 0.3\]"),
        ("interpolation", "bicubic", "interpolation is bicubic, but the model has bilinear"),
    ],
)
def test_what_the_row_says_is_checked(dataset, tmp_path, column, value, says):
    folder = save("vit", tmp_path / "own")
    with pytest.raises(InputError, match=f"row `own`: {says}"):
        extracted(folder, dataset, **{column: value})


@pytest.mark.parametrize(
    ("kind", "pooling", "says"),
    [
        ("siglip", "cls", "has no class token"),
        ("vit", "map", "has no attention pool"),
        ("convnext", "cls", "has no class token"),
    ],
)
def test_a_pooling_that_the_model_has_not(dataset, tmp_path, kind, pooling, says):
    with pytest.raises(InputError, match=says):
        extracted(save(kind, tmp_path / "own"), dataset, pooling)


def test_models_that_take_no_images_or_others(dataset, tmp_path):
    with pytest.raises(InputError, match="BertModel takes input_ids, not images"):
        extracted(save("bert", tmp_path / "bert"), dataset)
    folder = save("vit", tmp_path / "vit")
    said = json.loads(Path(folder, "preprocessor_config.json").read_text())
    Path(folder, "preprocessor_config.json").write_text(
        json.dumps({**said, "size": {"height": 48, "width": 48}})
    )
    with pytest.raises(InputError, match="images do not fit the model"):
        extracted(folder, dataset)


def test_an_image_processor_that_needs_another_package_is_none(tmp_path, monkeypatch):
    """As DINOv3's, which needs torchvision: the row's columns take its place, and where it has none one line says why."""

    def refuse(*_, **__):
        raise ImportError("\nDINOv3ViTImageProcessor requires the Torchvision library\nSee there")

    monkeypatch.setattr(vision.AutoImageProcessor, "from_pretrained", refuse)
    said = r"no image processor \(DINOv3ViTImageProcessor requires the Torchvision library\); save it beside the model"
    with pytest.raises(InputError, match=said):
        vision.pixels_of(SimpleNamespace(**ROW), tmp_path)
    given = {"image_size": 16, "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear"}
    pixels = vision.pixels_of(SimpleNamespace(**{**ROW, **given}), tmp_path)
    assert torch.equal(torch.as_tensor(pixels(Image.new("RGB", (40, 30), "white"))), torch.ones(3, 16, 16))
