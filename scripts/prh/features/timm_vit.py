"""Models by timm: of a ViT every block's output, before the final norm, pooled; of any other the average over space after each stage."""

from pathlib import Path

import timm
import torch
from timm.data import create_transform, resolve_data_config

from prh.errors import InputError, about
from prh.features.batching import in_batches
from prh.features.images import check_said, choose_pooling
from prh.features.layers import LayerCollector
from prh.sources.datasets import paths_of
from prh.sources.images import open_image

POOLING = {
    "cls": "class token of each block",
    "mean": "mean over the patches of each block",
    "map": "the model's attention pool, of each block",
    None: "average after each stage",
}


def load(folder, dtype="float32", device="cpu"):
    """Model (evaluation mode), its own preprocessing and the facts of that, from a folder with the hub's config.json and model.safetensors.

    config.json gives the architecture, its arguments and the data config; timm's own registry is not asked for them.
    """
    folder = Path(folder)
    if not (folder / "model.safetensors").is_file():
        raise InputError(f"{folder}: not a complete model (no model.safetensors)")
    try:
        model = timm.create_model(f"local-dir:{folder}", pretrained=True)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: not a model that timm loads ({str(error).splitlines()[0]})") from None
    if not hasattr(model, "forward_intermediates"):
        raise InputError(f"{folder}: timm gives no layers of {type(model).__name__}; take another model")
    facts = resolve_data_config(model.pretrained_cfg, model=model)
    transform = create_transform(**facts, is_training=False)
    return model.eval().to(device, getattr(torch, dtype)), transform, facts


def is_vit(model):
    """Whether it is a ViT, as timm has them: blocks over tokens, some of them perhaps before the patches. Else it is a CNN here."""
    return hasattr(model, "blocks") and hasattr(model, "num_prefix_tokens")


def pooling_of(model, asked=None):
    """How a ViT's tokens become one vector, see `images.choose_pooling`."""
    has_class = getattr(model, "cls_token", None) is not None
    return choose_pooling(asked, has_class, getattr(model, "attn_pool", None) is not None)


def extract_features(model, transform, paths, batch_size, pooling="cls"):
    """Each block's output, pooled, or average after each stage, of the images at `paths`, in order: name -> (n, d) float32.

    Of ViTs the paper's nodes `blocks.{i}.add_1`, which are the blocks' outputs. A batch that does not fit into memory is halved.
    """
    collector = LayerCollector(len(paths))
    parameter = next(model.parameters())

    def run(positions):
        images = torch.stack([transform(open_image(paths[i]).convert("RGB")) for i in positions])
        images = images.to(parameter.device, parameter.dtype)
        with torch.inference_mode():
            if not is_vit(model):
                stages = model.forward_intermediates(images, intermediates_only=True)
                collector.add(
                    positions, {f"stage{i}": state.mean(dim=(2, 3)) for i, state in enumerate(stages)}
                )
                return
            blocks = model.forward_intermediates(
                images, norm=False, return_prefix_tokens=True, output_fmt="NLC", intermediates_only=True
            )
            pooled = [_pooled(model, block, pooling) for block in blocks]
        collector.add(positions, {f"block{i}": values for i, values in enumerate(pooled, start=1)})

    in_batches(list(range(len(paths))), batch_size, run)
    return collector.finished()


def _pooled(model, block, pooling):
    """A block's output as (b, d). Of a model without tokens before the patches timm gives the patches (b, n, d) alone."""
    patches, before = block if isinstance(block, tuple) else (block, block[:, :0])
    if pooling == "cls":
        return before[:, 0]
    if pooling == "mean":
        return patches.float().mean(dim=1)
    return model.attn_pool(model.norm(torch.cat([before, patches], dim=1)))


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`."""
    model, transform, facts = load(folder, device=machine.device, **machine.weights)
    kind = "timm_vit" if is_vit(model) else "timm_cnn"
    if row.type != kind:
        raise InputError(
            f"model table, row `{row.name}`: key `type`: {type(model).__name__} is of type `{kind}`"
        )
    said = {column: facts[column] for column in ("mean", "std", "interpolation")}
    check_said(row, {"image_size": facts["input_size"][-1], **said})
    with about(folder):
        pooling = pooling_of(model, settings.get("pooling")) if is_vit(model) else None
        layers = extract_features(model, transform, paths_of(dataset), settings["batch_images"], pooling)
    return layers, {"pooling": POOLING[pooling], **machine.weights}
