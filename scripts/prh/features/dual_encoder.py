"""Models with two towers in one space, as CLIP, by transformers: captions and images in, one vector of that space out for each."""

import torch
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from prh.errors import InputError, about
from prh.features.batching import in_batches
from prh.features.layers import LayerCollector
from prh.features.loading import HERE, complete, count_too_long, load_weights, positions_of, token_lengths
from prh.sources.datasets import paths_of, read_captions
from prh.sources.images import open_image


def load(folder, device="cpu", dtype="float32"):
    """Model (evaluation mode), tokenizer and image processor of a folder of transformers' layout; nothing is fetched.

    Raises InputError for an incomplete model, and for one without two towers in one space.
    """
    model = load_weights(folder, AutoModel, dtype=getattr(torch, dtype))
    if not (hasattr(model, "get_text_features") and hasattr(model, "get_image_features")):
        raise InputError(
            f"{folder}: a {type(model).__name__} has no two towers in one space; its type is not dual_encoder"
        )
    with complete(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, **HERE)
        processor = AutoImageProcessor.from_pretrained(folder, backend="pil", **HERE)
    return model.eval().to(device), tokenizer, processor


def extract_features(model, tokenizer, processor, captions, paths, batch_size):
    """{"text": (n, d), "image": (n, d)} float32: what both towers make of each pair, in the shared space, before any scaling.

    Captions are cut where the text tower's positions end. A batch that does not fit is halved.
    """
    texts, images = LayerCollector(len(captions)), LayerCollector(len(paths))

    def read(places):
        with torch.inference_mode():
            found = model.get_text_features(**tokens(model, tokenizer, [captions[i] for i in places]))
        texts.add(places, {"text": found.pooler_output})

    def see(places):
        seen = [open_image(paths[i]).convert("RGB") for i in places]
        pixels = processor(images=seen, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            found = model.get_image_features(pixel_values=pixels.to(model.device, model.dtype))
        images.add(places, {"image": found.pooler_output})

    in_batches(list(range(len(captions))), batch_size, read)
    in_batches(list(range(len(paths))), batch_size, see)
    return texts.finished() | images.finished()


def tokens(model, tokenizer, captions):
    """What the text tower takes: captions filled up, or cut, to all of its positions, as these models are trained."""
    how = {"padding": "max_length", "truncation": True, "max_length": positions_of(model)}
    return tokenizer(captions, **how, return_tensors="pt").to(model.device)


def features(row, folder, dataset, settings, machine):
    """Both towers' vectors by name, and what the feature file says of them; see `adapters`."""
    model, tokenizer, processor = load(folder, machine.device, **machine.weights)
    captions, paths = read_captions(dataset).caption.tolist(), paths_of(dataset)
    with about(folder):
        # What cannot be read is said.
        token_lengths(model.text_model, tokenizer, captions, settings["long_captions"])
        layers = extract_features(model, tokenizer, processor, captions, paths, settings["batch_images"])
    scale = float(model.logit_scale.detach().exp())
    cut = count_too_long(model, tokenizer, captions)
    facts = {"pooling": "projections into the shared space", "logit_scale": scale, "captions_cut": cut}
    return layers, facts | machine.weights
