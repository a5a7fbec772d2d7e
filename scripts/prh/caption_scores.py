"""Bits per byte of captions: what the official code takes for language-model performance."""

import inspect
import math
from dataclasses import dataclass

import torch

from prh.batching import in_batches, tokens_for
from prh.language import token_lengths


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


def caption_bits_per_byte(model, tokenizer, captions, batch_tokens=None, device="cpu"):
    """Bits per UTF-8 byte of each caption by itself under a causal language model, as a `CaptionScore`.

    A caption's first token, which is the beginning-of-sequence token where the tokenizer has one, is not scored.
    """
    lengths = token_lengths(tokenizer, captions)
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
