"""Language-model performance: bits per byte of a text that is the same bytes for every model."""

import ast
import math
from dataclasses import dataclass
from pathlib import Path

import torch

from prh.errors import InputError
from prh.job import progress

SENTENCE_ENDS = (".", "!", "?", '."', '!"', '?"')


@dataclass(frozen=True)
class BitsPerByte:
    """Bits per byte of a text, with the counts behind it, and the nats that each window's scored tokens gave."""

    bits_per_byte: float
    bytes: int
    tokens: int
    windows: int
    window_nats: list[float]


def passage(source, first_byte, size):
    """At least `size` UTF-8 bytes of `source` from `first_byte` on, up to the end of a sentence."""
    data = source.encode("utf-8")
    text = data[first_byte:].decode("utf-8", errors="ignore")
    if len(text.encode("utf-8")) < size:
        raise InputError(f"the text has {len(data)} bytes, {first_byte + size} are asked for; lower `bytes`")
    words, total = [], 0
    for word in text.split(" "):
        words.append(word)
        total += len(word.encode("utf-8")) + 1
        if total > size and word.endswith(SENTENCE_ENDS):
            break
    return " ".join(words)


def longest_string(source):
    """The longest string literal of a Python source text; it is parsed, never run."""
    try:
        literals = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    except (SyntaxError, ValueError) as error:
        raise InputError(f"not a Python source text ({error})") from None
    return max((value for value in literals if isinstance(value, str)), key=len, default="")


def bits_per_byte(model, tokenizer, text, window, stride, device="cpu"):
    """Bits per UTF-8 byte of `text` under a causal language model; lower is better.

    sum over tokens of -log2 p(token | context) / bytes, as in the paper's section 3 (after Delétang et al. 2024).
    Windows of `window` tokens, each opened by the beginning-of-sequence token, move on by `stride` tokens;
    every token is scored once, in the first window that it stands in.

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
        nats.append(_negative_log_likelihood(model, ids, end - scored_from))
    size = len(text.encode("utf-8"))
    return BitsPerByte(math.fsum(nats) / math.log(2) / size, size, len(tokens), len(spans), nats)


def windows(n, width, stride):
    """(begin, scored_from, end) of the windows over n tokens: each token lies in exactly one scored_from ... end."""
    done, begin = 0, 0
    while done < n:
        end = min(begin + width, n)
        yield begin, done, end
        done, begin = end, begin + stride


def _negative_log_likelihood(model, ids, count):
    """Nats of the last `count` tokens of ids (1, t), summed in float64."""
    with torch.inference_mode():
        logits = model(input_ids=ids, logits_to_keep=count + 1).logits[0, :-1].float()
    return torch.nn.functional.cross_entropy(logits, ids[0, -count:], reduction="none").double().sum().item()


def read_text(path):
    """A corpus as `fetch_corpus` wrote it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start}); remove it to have it made again") from None
    if not text.strip():
        raise InputError(f"{path}: no text in it; remove it to have it made again")
    return text
