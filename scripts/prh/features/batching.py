"""Batches that fit into memory: of so many items, or of so many tokens; halved when they do not fit."""

import sys
from bisect import bisect_right

import torch

from prh.errors import InputError
from prh.job import progress

# Tokens in a batch, padding included, where the configuration names no number: on a processor what its caches hold, on a
# GPU what keeps it busy.
TOKENS = {"cpu": 1024, "cuda": 16384}


def tokens_for(device):
    """How many tokens a batch has on this device by default."""
    return TOKENS[torch.device(device).type]


def in_batches(items, room, run, what="extracting", lengths=None, windows=None):
    """Call `run` with lists of `items`, in order; where memory runs out, `room` is halved for good, and the log says so.

    Parameters
    ----------
    room: items in a batch; or tokens, every item padded to the longest one of its batch, where `lengths` are given.
    run: takes a list of items; must not keep what it began.
    lengths: tokens of each of `items`. windows: a number for each of them, rising; no batch holds items of two.

    Raises `InputError` if a single item does not fit into memory.

    """
    place, bar = 0, progress([], what, total=len(items), unit="item")
    while place < len(items):
        count = room if lengths is None else _fitting(lengths, place, room)
        if windows:
            count = min(count, bisect_right(windows, windows[place]) - place)
        part = items[place : place + count]
        try:
            run(part)
        except torch.OutOfMemoryError:
            if len(part) == 1:
                raise InputError(
                    "a single item does not fit into the GPU's memory; use a larger GPU or more"
                ) from None
            room = (len(part) if lengths is None else _padded(lengths[place : place + len(part)])) // 2
        else:
            place += len(part)
            bar.update(len(part))
            continue
        # Out of the handler: the exception held the tensors of the batch that did not fit.
        torch.cuda.empty_cache()
        unit = "items" if lengths is None else "tokens"
        print(f"out of memory: batches of {room} {unit} from item {place} on", file=sys.stderr, flush=True)
    bar.close()


def _padded(lengths):
    """Tokens of a batch, each item padded to the longest."""
    return len(lengths) * max(lengths)


def _fitting(lengths, place, room):
    """How many items from `place` on make a batch of at most `room` tokens; at least one."""
    longest = 0
    for end in range(place, len(lengths)):
        longest = max(longest, lengths[end])
        if (end + 1 - place) * longest > room:
            return max(1, end - place)
    return len(lengths) - place
