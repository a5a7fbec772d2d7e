"""Models by timm: of a ViT the class token of every block's output, before the final norm; of a ResNet the average after each stage."""

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
    if not is_cnn(model) and (not hasattr(model, "blocks") or model.num_prefix_tokens < 1):
        raise InputError(f"{folder}: neither a ViT with a class token nor a ResNet")
    transform = create_transform(**resolve_data_config(model.pretrained_cfg, model=model), is_training=False)
    return model.eval().to(device, getattr(torch, dtype)), transform


def is_cnn(model):
    """Whether it is a ResNet, as timm has them."""
    return hasattr(model, "layer4")


def extract_features(model, transform, paths, batch_size):
    """Class token after each block, or average after each stage, of the images at `paths`, in order: name -> (n, d) float32.

    Of ViTs the paper's nodes `blocks.{i}.add_1`, which are the blocks' outputs. A batch that does not fit into memory is halved.
    """
    collector = LayerCollector(len(paths))
    parameter = next(model.parameters())

    def run(positions):
        images = torch.stack([transform(open_image(paths[i]).convert("RGB")) for i in positions])
        images = images.to(parameter.device, parameter.dtype)
        with torch.inference_mode():
            if is_cnn(model):
                stages = model.forward_intermediates(images, intermediates_only=True)
                collector.add(
                    positions, {f"stage{i}": state.mean(dim=(2, 3)) for i, state in enumerate(stages)}
                )
                return
            blocks = model.forward_intermediates(
                images, norm=False, return_prefix_tokens=True, output_fmt="NLC", intermediates_only=True
            )
        collector.add(positions, {f"block{i}": prefix[:, 0] for i, (_, prefix) in enumerate(blocks, start=1)})

    in_batches(list(range(len(paths))), batch_size, run)
    return collector.finished()


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`."""
    model, transform = load(folder, device=machine.device, **machine.weights)
    with about(folder):
        layers = extract_features(model, transform, paths_of(dataset), settings["batch_images"])
    pooling = "average after each stage" if is_cnn(model) else "class token of each block"
    return layers, {"pooling": pooling, **machine.weights}
