"""Language models of transformers' layout: loaded from a folder, nothing fetched; and what their tokenizers make of texts."""

import re
from contextlib import contextmanager

import torch
from safetensors import SafetensorError
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from prh.errors import InputError

HERE = {"local_files_only": True, "trust_remote_code": False}
UNUSED = re.compile(r"^pooler\.|\.mask_token$")


def load(folder, type, device="cpu", dtype="float32", quantisation=None, gpus=0):
    """Model (evaluation mode) and tokenizer of a folder with a model of transformers' layout; nothing is fetched.

    `type` "causal_lm" gives the model with its language-model head, anything else the bare one. With more than one of
    `gpus` the layers are spread over all that are there; `quantisation` "4bit" takes bitsandbytes and a GPU.
    """
    loader = AutoModelForCausalLM if type == "causal_lm" else AutoModel
    placed = {"device_map": "auto"} if gpus > 1 else {"device_map": {"": device}} if quantisation else {}
    if quantisation == "4bit":
        placed["quantization_config"] = _four_bits(dtype)
    with _complete(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, **HERE)
    model = load_weights(folder, loader, dtype=getattr(torch, dtype), **placed)
    return (model.eval() if placed else model.eval().to(device)), tokenizer


def load_weights(folder, loader, **options):
    """A model of a folder by one of transformers' Auto classes; nothing is fetched, nothing is drawn at random.

    A pooler and a mask's token, which no feature asks for, may be missing. Raises `InputError` if anything else is.
    """
    with _complete(folder):
        model, found = loader.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **options, **HERE
        )
        missing = {key for key in found["missing_keys"] if not UNUSED.search(key)}
        if missing:  # transformers would draw them at random
            raise ValueError(f"its weights lack {min(missing)}")
    return model


@contextmanager
def _complete(folder):
    """What transformers says of an incomplete model, as one line."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: not a complete model ({str(error).splitlines()[0]})") from None
    except ImportError as error:
        raise InputError(f"{folder}: {str(error).strip().splitlines()[0]}") from None


def _four_bits(dtype):
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=getattr(torch, dtype))


def token_lengths(tokenizer, texts):
    """Tokens of each text; gives the tokenizer a token to pad with. Raises `InputError` for a text without tokens."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    if min(lengths) == 0:
        raise InputError(f"caption {lengths.index(0)} (`{texts[lengths.index(0)]}`) has no tokens")
    return lengths
