"""Tasks for linear probes: which items and classes of a data set's label sets they learn."""

import numpy as np
import pandas as pd

from prh.errors import InputError


def halves(n, seed):
    """The items of two halves, drawn at random and apart: two sorted arrays, the second of n // 2."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[n // 2 :]), np.sort(order[: n // 2])


def classes(labels, fewest):
    """Classes of at least `fewest` items, and each item's: (names, sorted; (n,) int, -1 where it has none of them).

    Raises `InputError` where fewer than two classes are left.
    """
    counts = labels.dropna().value_counts()
    names = sorted(counts[counts >= fewest].index)
    if len(names) < 2:
        raise InputError(
            f"task `{labels.name}`: {len(names)} classes have {fewest} items or more, two are needed; "
            "label more images, lower `transfer.fewest`, or leave the data set out"
        )
    return names, pd.Index(names).get_indexer(labels)


def coded(labels, items, fewest):
    """The tasks of a table of labels in numbers, for those items that have a class in each of them.

    labels: as `label_images` gives them; items: (n,) those that the probes may have. Returns the items that are left, (m,) int; the
    numbers of their classes, (m, tasks) int; and the names of the classes by task. Raises `InputError` as `classes` does.
    """
    found = {task: classes(labels[task].iloc[items], fewest) for task in labels.columns.drop("id")}
    codes = np.stack([numbers for _, numbers in found.values()], axis=1)
    kept = (codes >= 0).all(axis=1)
    return items[kept], codes[kept], {task: names for task, (names, _) in found.items()}
