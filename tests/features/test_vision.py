from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from prh.errors import InputError
from prh.features import cnn, onnx_vit
from prh.features.images import extract_features, preprocess

ROW = SimpleNamespace(
    name="tiny", type="mobilenet_v2", init="random", architecture="", weights="", weights_sha256="",
    image_size=32, mean=[0.5, 0.4, 0.3], std=[0.5, 0.25, 0.2], interpolation="bilinear", layers=2, width=8,
)  # fmt: skip
CODE = """
import torch.nn as nn

class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.use_res_connect = inputs == outputs
        self.conv = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)

class MobileNetV2_bottle(nn.Module):
    def __init__(self):
        super().__init__()
        blocks = [Block(4, 6), Block(6, 6), Block(6, 8)]
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), *blocks, nn.Conv2d(8, 10, 1))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model folder with the code of a tiny network that has MobileNetV2's shape, and random weights."""
    code = tmp_path / "tiny" / "code"
    code.mkdir(parents=True)
    (code / "tiny_mobilenet.py").write_text(CODE)
    tiny = cnn.CODE["mobilenet_v2"]._replace(files=("*.py",), module="tiny_mobilenet")
    monkeypatch.setitem(cnn.CODE, "mobilenet_v2", tiny)
    torch.manual_seed(0)
    state = cnn._build(ROW, tmp_path / "tiny").state_dict()
    save_file(state, tmp_path / "tiny" / "model.safetensors")
    return tmp_path / "tiny"


def test_stages_and_head_are_global_averages(folder):
    model = cnn._build(ROW, folder)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    images = torch.randn(5, 3, 32, 32)
    pooled = cnn.load(ROW, folder)(images)
    assert list(pooled) == ["stage1", "stage2", "head"]
    x = images
    for number, layer in enumerate(model.features):
        x = layer(x)
        name = {2: "stage1", 3: "stage2", 4: "head"}.get(number)
        if name:
            torch.testing.assert_close(pooled[name], x.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)


def test_features_keep_the_order_of_the_images(folder, tmp_path):
    paths = []
    for i in range(5):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(np.full((32, 32, 3), 40 * i, dtype=np.uint8)).save(paths[-1])
    layers_of = cnn.load(ROW, folder)
    together = extract_features(layers_of, ROW, paths, batch_size=2)
    for i, path in enumerate(paths):
        alone = extract_features(layers_of, ROW, [path], batch_size=1)
        for name in together:
            torch.testing.assert_close(together[name][i], alone[name][0], rtol=1e-4, atol=1e-5)


def test_on_a_processor_features_come_from_onnx_runtime_and_are_pytorch_s(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cnn, "paths_of", lambda dataset: sorted(dataset.glob("*.png")))
    for i in range(5):
        Image.fromarray(np.full((32, 32, 3), 40 * i, dtype=np.uint8)).save(tmp_path / f"{i}.png")
    torch_only = extract_features(cnn.load(ROW, folder), ROW, sorted(tmp_path.glob("*.png")), batch_size=2)
    machine = SimpleNamespace(device="cpu", threads=1)
    found, facts = cnn.features(ROW, folder, tmp_path, {"batch_images": 2}, machine)
    assert list(found) == ["stage1", "stage2", "head"]
    assert facts["runtime"] == "ONNX Runtime"
    for name, values in torch_only.items():
        torch.testing.assert_close(found[name], values, rtol=1e-4, atol=1e-5)


def test_weights_that_do_not_fit(folder):
    save_file({"features.0.weight": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(InputError, match="weights do not fit mobilenet_v2"):
        cnn.load(ROW, folder)


def test_preprocess_normalises_per_channel():
    pixel = preprocess(Image.new("RGB", (32, 32), (255, 102, 0)), ROW)[:, 0, 0]
    torch.testing.assert_close(pixel, torch.tensor([1.0, 0.0, -1.5]))


def test_preprocess_cuts_out_the_middle():
    wide = np.zeros((32, 96, 3), dtype=np.uint8)
    wide[:, 32:64] = 255
    found = preprocess(Image.fromarray(wide), ROW)
    assert found.shape == (3, 32, 32)
    assert (found[0] == 1).all()


def test_preprocess_resizes_the_short_side():
    assert preprocess(Image.new("RGB", (100, 60)), ROW).shape == (3, 32, 32)
    assert preprocess(Image.new("L", (7, 9)), ROW).shape == (3, 32, 32)


def test_a_damaged_onnx_model(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a readable ONNX model"):
        onnx_vit.load(SimpleNamespace(**{**vars(ROW), "type": "onnx_vit"}), tmp_path)
