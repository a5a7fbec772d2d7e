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
    with complete(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, **HERE)
    model = load_weights(folder, loader, dtype=getattr(torch, dtype), **placed)
    return (model.eval() if placed else model.eval().to(device)), tokenizer


def load_weights(folder, loader, **options):
    """A model of a folder by one of transformers' Auto classes; nothing is fetched, nothing is drawn at random.

    A pooler and a mask's token, which no feature asks for, may be missing. Raises `InputError` if anything else is.
    """
    with complete(folder):
        model, found = loader.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, **options, **HERE
        )
        missing = {key for key in found["missing_keys"] if not UNUSED.search(key)}
        if missing:  # transformers would draw them at random
            raise ValueError(f"its weights lack {min(missing)}")
    return model


@contextmanager
def complete(folder):
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


def token_lengths(model, tokenizer, texts, long_captions="error"):
    """Tokens of each text, as many of them as the model gets; gives the tokenizer a token to pad with.

    long_captions: "error", or "truncate", then no text counts more than the model takes. Raises `InputError` for a text
    without tokens, with more than the model takes, or with one that its embedding has not; and for nothing to pad with.
    """
    if tokenizer.pad_token is None and tokenizer.eos_token is None:
        raise InputError(
            "the tokenizer has neither a pad nor an EOS token to fill captions up with; name one in its tokenizer_config.json"
        )
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    ids = tokenizer(texts, verbose=False)["input_ids"]
    lengths = [len(found) for found in ids]
    if min(lengths) == 0:
        raise InputError(f"caption {lengths.index(0)} (`{texts[lengths.index(0)]}`) has no tokens")
    _check_ids(model, tokenizer, max(tokenizer.pad_token_id, *map(max, ids)))
    limit = positions_of(model)
    if limit is None or max(lengths) <= limit:
        return lengths
    if long_captions != "truncate":
        longest = lengths.index(max(lengths))
        raise InputError(
            f"{sum(length > limit for length in lengths)} of {len(texts)} captions have more than the {limit} tokens that the "
            f"model takes (caption {longest} has {lengths[longest]}); shorten them, or set `features.long_captions` to truncate"
        )
    return [min(length, limit) for length in lengths]


def count_too_long(model, tokenizer, texts):
    """How many texts have more tokens than the model takes."""
    limit = positions_of(model)
    return sum(len(ids) > (limit or len(ids)) for ids in tokenizer(texts, verbose=False)["input_ids"])


def positions_of(model):
    """How many tokens a model takes at once, by its configuration; None where that names no number.

    RoBERTa and its kin leave the first positions of their table empty.
    """
    for name, part in model.named_modules():
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            return part.num_embeddings - part.padding_idx - 1
    said = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return said if isinstance(said, int) and said > 0 else None


def check_text(model, tokenizer, text, window):
    """Raise `InputError` for a window that is longer than what a model takes, and for tokens that its embedding has not."""
    limit = positions_of(model)
    if limit is not None and window > limit:
        raise InputError(
            f"key `performance.window` is {window} tokens, but the model takes {limit}; lower it, which holds for all models"
        )
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    _check_ids(model, tokenizer, max(ids, default=0))


def _check_ids(model, tokenizer, highest):
    rows = model.get_input_embeddings().weight.shape[0]
    if highest >= rows:
        raise InputError(
            f"the tokenizer gives token {highest} (`{tokenizer.convert_ids_to_tokens(highest)}`), but the model's embedding has "
            f"{rows} rows; they do not belong together"
        )
