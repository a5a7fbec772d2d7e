"""ONNX Runtime: a network as a function from images to its outputs."""

import torch

from prh.errors import InputError


def open_network(network, threads=1, name=None):
    """A function from images (b, 3, size, size) to output name -> tensor (b, ...), in the network's order, on the processor.

    network: its path, or its bytes; name: how a message calls it, its path where there is one.
    Raises `InputError` if it is no ONNX network.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    source = network if isinstance(network, bytes) else str(network)
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own that share no narrower base
        raise InputError(
            f"{name or network}: not a readable ONNX model ({str(error).splitlines()[0]})"
        ) from None
    given, outputs = session.get_inputs()[0].name, [value.name for value in session.get_outputs()]

    def run(images):
        found = session.run(outputs, {given: images.numpy()})
        return {output: torch.from_numpy(values) for output, values in zip(outputs, found, strict=True)}

    return run
