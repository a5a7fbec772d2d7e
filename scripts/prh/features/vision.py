"""Vision models of transformers (AutoModel): hidden states of every layer, each pooled to one vector; images by the model's own
image processor.
"""

import inspect

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from prh.errors import InputError, about
from prh.features.adapters import PIXELS
from prh.features.batching import in_batches
from prh.features.images import check_said, choose_pooling, preprocess
from prh.features.layers import LayerCollector
from prh.features.loading import load_weights
from prh.sources.datasets import paths_of
from prh.sources.images import open_image

POOLING = {
    "cls": "class token of each layer",
    "mean": "mean over the patches of each layer",
    "map": "the model's attention pool, of each layer",
}
CLASS_TOKENS = ("cls_token", "class_embedding")  # names of parameters, for tokens before the patches
OTHER_TOKENS = ("register_tokens", "distillation_token")


def load(folder, dtype="float32", device="cpu"):
    """The model (evaluation mode) of a folder that save_pretrained wrote; of one with a text tower the vision tower.

    A masked autoencoder masks nothing. Raises `InputError` for an incomplete model and for one that takes no images.
    """
    model = load_weights(folder, AutoModel, dtype=getattr(torch, dtype))
    if getattr(model.config, "vision_config", None) is not None:
        model = getattr(model, "vision_model", model)
    if model.main_input_name != "pixel_values":
        raise InputError(f"{folder}: {type(model).__name__} takes {model.main_input_name}, not images")
    if hasattr(model.config, "mask_ratio"):
        model.config.mask_ratio = 0.0
    return model.eval().to(device)


def pixels_of(row, folder):
    """A function from an image to what the model takes of it, (3, height, width) float32: by its own image processor.

    Where the folder has none, the row's image_size, mean, std and interpolation say how; where it has one they are checked.
    """
    try:
        processor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
    except (
        OSError,
        ValueError,
        ImportError,
    ) as error:  # the last of one that needs torchvision, as DINOv3's does
        lacking = [column for column in PIXELS if not getattr(row, column)]
        if lacking:
            raise InputError(
                f"{folder}: no image processor ({str(error).strip().splitlines()[0]}); save it beside the model, or say "
                f"{', '.join(lacking)} in the row `{row.name}` of the model table"
            ) from None
        return lambda image: preprocess(image, row)

    def pixels(image):
        return processor(image.convert("RGB"), return_tensors="pt")["pixel_values"][0]

    normalised = getattr(processor, "do_normalize", False)
    found = {
        "image_size": pixels(Image.new("RGB", (64, 64))).shape[-1],
        "mean": list(processor.image_mean) if normalised else [0.0] * 3,
        "std": list(processor.image_std) if normalised else [1.0] * 3,
        "interpolation": Image.Resampling(processor.resample).name.lower(),
    }
    check_said(row, found)
    return pixels


def pooling_of(model, asked=None):
    """How tokens become one vector, see `images.choose_pooling`."""
    has_class = any(name.endswith(CLASS_TOKENS) for name, _ in model.named_parameters())
    return choose_pooling(asked, has_class, hasattr(model, "head") and hasattr(model, "post_layernorm"))


def extract_features(model, pixels, paths, batch_size, pooling):
    """Each layer's hidden states of the images at `paths`, in order, pooled: name -> (n, d) float32, the embedding first.

    By class token without the embedding, where it is the same for all images. Of a CNN, whose states are maps, the average
    over space. A batch that does not fit into memory is halved.
    """
    collector = LayerCollector(len(paths))
    parameter, given = next(model.parameters()), {}
    before = sum(_tokens(name, value) for name, value in model.named_parameters())

    def run(positions):
        images = torch.stack([pixels(open_image(paths[i])) for i in positions])
        images = images.to(parameter.device, parameter.dtype)
        if (
            "noise" in inspect.signature(model.forward).parameters
        ):  # which orders the patches that are kept: as they are
            places = torch.arange(model.embeddings.patch_embeddings.num_patches, device=images.device)
            given["noise"] = places.float().expand(len(images), -1)
        try:
            with torch.inference_mode():
                states = model(pixel_values=images, output_hidden_states=True, **given).hidden_states
                pooled = [_pooled(model, state, pooling, before) for state in states]
        except ValueError as error:
            raise InputError(f"images do not fit the model ({str(error).splitlines()[0]})") from None
        stages = states[0].ndim == 4 or len({state.shape[-1] for state in states}) > 1
        names = ["embedding"] + [f"{'stage' if stages else 'block'}{i}" for i in range(1, len(states))]
        found = dict(zip(names, pooled, strict=True))
        if pooling == "cls":
            del found["embedding"]
        collector.add(positions, found)

    in_batches(list(range(len(paths))), batch_size, run)
    return collector.finished()


def _tokens(name, value):
    """How many tokens a parameter puts before the patches."""
    if name.endswith(CLASS_TOKENS):
        return 1
    return value.shape[-2] if name.endswith(OTHER_TOKENS) else 0


def _pooled(model, state, pooling, before):
    """A layer's states (b, tokens, d) or (b, d, height, width) as (b, d): see `POOLING`."""
    if state.ndim == 4:
        return state.float().mean(dim=(2, 3))
    if pooling == "map":
        return model.head(model.post_layernorm(state))
    return state[:, 0] if pooling == "cls" else state[:, before:].float().mean(dim=1)


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`."""
    model, pixels = load(folder, device=machine.device, **machine.weights), pixels_of(row, folder)
    with about(folder):
        pooling = pooling_of(model, settings.get("pooling"))
        layers = extract_features(model, pixels, paths_of(dataset), settings["batch_images"], pooling)
    return layers, {"pooling": POOLING[pooling], **machine.weights}
