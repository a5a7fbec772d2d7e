"""Bits per byte of a language model: of a text that is the same bytes for every model, and of captions.

The latter is what the official code takes for language-model performance.
"""

import inspect
import math
from dataclasses import dataclass

import torch

from prh.errors import InputError
from prh.features.batching import in_batches, tokens_for
from prh.features.loading import token_lengths
from prh.job import progress


@dataclass(frozen=True)
class BitsPerByte:
    """Bits per byte of a text, with the counts behind it, and the nats that each window's scored tokens gave."""

    bits_per_byte: float
    bytes: int
    tokens: int
    windows: int
    window_nats: list[float]


@dataclass(frozen=True)
class CaptionScore:
    """Bits per byte over captions, the counts and each caption's bits behind it, and the longest caption in tokens.

    bits_per_byte: the mean over captions of each one's; pooled: all bits over all bytes.
    """

    bits_per_byte: float
    pooled_bits_per_byte: float
    captions: int
    bytes: int
    longest_tokens: int
    caption_bits: list[float]


def bits_per_byte(model, tokenizer, text, window, stride, device="cpu", seen=None):
    """Bits per UTF-8 byte of `text` under a causal language model; lower is better.

    sum over tokens of -log2 p(token | context) / bytes, as in the paper's section 3 (after Delétang et al. 2024).
    Windows of `window` tokens, each opened by the beginning-of-sequence token, move on by `stride` tokens;
    every token is scored once, in the first window that it stands in.

    seen: a function that is called with the number of each window's first scored token and the logits (tokens, vocabulary),
    float32, by which its tokens were scored: what else is asked of them needs no second pass.

    Raises `InputError` if the text has no tokens or the tokenizer has neither a first nor a last token.
    """
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if first is None:
        raise InputError("the tokenizer has neither a BOS nor an EOS token to open a window with")
    tokens = tokenizer(text, add_special_tokens=False, verbose=False, return_tensors="pt")["input_ids"][0]
    if len(tokens) == 0:
        raise InputError("the text has no tokens")
    nats, spans = [], list(windows(len(tokens), window - 1, stride))
    for begin, scored_from, end in progress(spans, "scoring", unit="window"):
        ids = torch.cat([torch.tensor([first]), tokens[begin:end]]).unsqueeze(0).to(device)
        logits = _logits(model, ids, end - scored_from)
        nats.append(_negative_log_likelihood(logits, ids[0, scored_from - end :]))
        if seen:
            seen(scored_from, logits)
    size = len(text.encode("utf-8"))
    return BitsPerByte(math.fsum(nats) / math.log(2) / size, size, len(tokens), len(spans), nats)


def windows(n, width, stride):
    """(begin, scored_from, end) of the windows over n tokens: each token lies in exactly one scored_from ... end."""
    done, begin = 0, 0
    while done < n:
        end = min(begin + width, n)
        yield begin, done, end
        done, begin = end, begin + stride


def caption_bits_per_byte(model, tokenizer, captions, batch_tokens=None, device="cpu"):
    """Bits per UTF-8 byte of each caption by itself under a causal language model, as a `CaptionScore`.

    A caption's first token, which is the beginning-of-sequence token where the tokenizer has one, is not scored.
    """
    lengths = token_lengths(model, tokenizer, captions)
    tokenizer.padding_side = "right"
    order = sorted(range(len(captions)), key=lambda i: (lengths[i], i))
    accepted = inspect.signature(model.forward).parameters
    bits = torch.zeros(len(captions), dtype=torch.float64)

    def run(positions):
        tokens = tokenizer([captions[i] for i in positions], padding=True, return_tensors="pt").to(device)
        given = {name: value for name, value in tokens.items() if name in accepted}
        with torch.inference_mode():
            logits = model(**given).logits[:, :-1].float()
        ids, valid = tokens["input_ids"][:, 1:], tokens["attention_mask"][:, 1:].bool()
        nats = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), ids.to(logits.device), reduction="none"
        )
        bits[positions] = (nats * valid.to(nats.device)).double().sum(dim=1).cpu() / math.log(2)

    # A token's row of logits is as long as the vocabulary, so that batches are small, as on a processor.
    room = batch_tokens or tokens_for("cpu")
    in_batches(order, room, run, "scoring captions", [lengths[i] for i in order])
    sizes = torch.tensor([len(caption.encode("utf-8")) for caption in captions], dtype=torch.float64)
    return CaptionScore(
        bits_per_byte=(bits / sizes).mean().item(),
        pooled_bits_per_byte=(bits.sum() / sizes.sum()).item(),
        captions=len(captions),
        bytes=int(sizes.sum()),
        longest_tokens=max(lengths),
        caption_bits=bits.tolist(),
    )


def _logits(model, ids, count):
    """By which the last `count` tokens of ids (1, t) are scored: (count, vocabulary) float32."""
    with torch.inference_mode():
        return model(input_ids=ids, logits_to_keep=count + 1).logits[0, :-1].float()


def _negative_log_likelihood(logits, ids):
    """Nats of the tokens ids (t,), summed in float64."""
    return torch.nn.functional.cross_entropy(logits, ids, reduction="none").double().sum().item()
