"""Batches that fit into memory: halved when they do not."""

import sys

import torch

from prh.errors import InputError
from prh.job import progress


def in_batches(items, size, run, what="extracting"):
    """Call `run` with lists of at most `size` of `items`, in order; where memory runs out, `size` is halved for good.

    The log says so. Raises `InputError` if a single item does not fit. `run` must not keep what it began.
    """
    place, bar = 0, progress([], what, total=len(items), unit="item")
    while place < len(items):
        part = items[place : place + size]
        try:
            run(part)
        except torch.OutOfMemoryError:
            if len(part) == 1:
                raise InputError(
                    "a single item does not fit into the GPU's memory; use a larger GPU or more"
                ) from None
            size = len(part) // 2
        else:
            place += len(part)
            bar.update(len(part))
            continue
        # Out of the handler: the exception held the tensors of the batch that did not fit.
        torch.cuda.empty_cache()
        print(f"out of memory: batches of {size} from item {place} on", file=sys.stderr, flush=True)
    bar.close()
