"""Vision transformers by timm: the class token of every block's output, before the final norm."""

from pathlib import Path

import timm
import torch
from timm.data import create_transform, resolve_data_config

from prh.errors import InputError, about
from prh.features.batching import in_batches
from prh.features.layers import LayerCollector
from prh.sources.datasets import paths_of
from prh.sources.images import open_image


def load(folder, dtype="float32", device="cpu"):
    """Model (evaluation mode) and its own preprocessing, from a folder with the hub's config.json and model.safetensors.

    config.json gives the architecture, its arguments and the data config; timm's own registry is not asked for them.
    """
    folder = Path(folder)
    if not (folder / "model.safetensors").is_file():
        raise InputError(f"{folder}: not a complete model (no model.safetensors)")
    try:
        model = timm.create_model(f"local-dir:{folder}", pretrained=True)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: not a model that timm loads ({str(error).splitlines()[0]})") from None
    if not hasattr(model, "blocks") or model.num_prefix_tokens < 1:
        raise InputError(f"{folder}: not a ViT with a class token")
    transform = create_transform(**resolve_data_config(model.pretrained_cfg, model=model), is_training=False)
    return model.eval().to(device, getattr(torch, dtype)), transform


def extract_features(model, transform, paths, batch_size):
    """Class token after each block of the images at `paths`, in order: name -> (n, d) float32.

    The paper's nodes `blocks.{i}.add_1`, which are the blocks' outputs. A batch that does not fit into memory is halved.
    """
    collector = LayerCollector(len(paths))
    parameter = next(model.parameters())

    def run(positions):
        images = torch.stack([transform(open_image(paths[i]).convert("RGB")) for i in positions])
        with torch.inference_mode():
            blocks = model.forward_intermediates(
                images.to(parameter.device, parameter.dtype),
                norm=False,
                return_prefix_tokens=True,
                output_fmt="NLC",
                intermediates_only=True,
            )
        pooled = {f"block{i}": prefix[:, 0] for i, (_, prefix) in enumerate(blocks, start=1)}
        collector.add(positions, pooled)

    in_batches(list(range(len(paths))), batch_size, run)
    return collector.finished()


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`."""
    model, transform = load(folder, device=machine.device, **machine.weights)
    with about(folder):
        layers = extract_features(model, transform, paths_of(dataset), settings["batch_images"])
    return layers, {"pooling": "class token of each block", **machine.weights}
