"""Alignment as items are added: mutual k-NN of one pair of models on parts of their items, k fixed and k a share of n.

Each part is measured as if the run had no other items: features clamped to the part's own percentile, neighbours among the part,
the best layer pair of the part. Its null is of the same statistic, the maximum over layer pairs, with the part's items permuted
(`calibration.calibrate_states`; Groeger et al. 2026), so that choosing a layer pair among few items, which lifts a score, lifts the
null as well. All items together give what the table of alignments has of the data set. Beside it stands the score at the layer
pair that is best on all items: what is left of the trend when nothing is chosen anew.
"""

import numpy as np

from prh.alignment.calibration import bootstrap_interval, calibrate_states
from prh.alignment.metrics import layer_state, pair_scores
from prh.alignment.neighbors import index_layers
from prh.alignment.preprocess import prepared
from prh.errors import InputError
from prh.tables import FIXED, SHARE

METRIC = "mutual_knn"


def parts_of(items, sizes, draws, seed):
    """Parts of so many items: [(n, draw, places)], places (n,) int64 ascending; the last part is all items.

    All items are put into one order, drawn by the seed, and cut: the part `draw` of size n is the draw-th n of the order, at most
    `draws` of them. Parts of one size are disjoint; the first parts are nested, each within the next larger one.
    Raises InputError for a size that is not below the number of items.
    """
    order = np.random.default_rng(seed).permutation(items)
    for n in sizes:
        if n >= items:
            raise InputError(
                f"key `alignment_over_n.sizes`: {n} of {items} items; all items are taken anyway, so that sizes must be below; lower it"
            )
    return [
        (n, draw, np.sort(order[draw * n : (draw + 1) * n]))
        for n in [*sizes, items]
        for draw in range(min(draws, items // n))
    ]


def ks_of(n, k, share):
    """The numbers of neighbours at n items, by rule: k, and the whole number that is nearest to share * n, at least 1."""
    return {FIXED: k, SHARE: max(1, round(share * n))}


def index_parts(layers, parts, k, share, **preparation):
    """The neighbour tables of one model: for each part (layers, n, k) int32 with as many neighbours as its rules take.

    layers: raw features, (items, d_l) each. preparation: clamp, concatenate, device, as `preprocess.prepare` takes them.
    Raises InputError where the parts are of another number of items, and as `preprocess.prepare` and `neighbors.rank` do.
    """
    found, items = [], parts[-1][0]
    if len(layers[0]) != items:
        raise InputError(
            f"{len(layers[0])} items, the models before have {items}; give features of the same items"
        )
    for n, _, places in parts:
        some = prepared([layer[places] for layer in layers], **preparation)
        found.append(index_layers(some, max(ks_of(n, k, share).values())))
    return found


def pair_rows(indices_x, indices_y, parts, k, share, draws):
    """Rows (dicts) of one pair of models, one for each part and rule.

    indices_x, indices_y: as `index_parts` gives them. draws: permutations and alpha of the null, resamples and confidence of the
    interval, seed of both.
    """
    rows, grids = [], []
    for (n, draw, _), ids_x, ids_y in zip(parts, indices_x, indices_y, strict=True):
        for rule, neighbours in ks_of(n, k, share).items():
            x, y = (layer_state(METRIC, ids, neighbours) for ids in (ids_x, ids_y))
            found = calibrate_states(x, y, draws["permutations"], draws["alpha"], draws["seed"])
            ends = bootstrap_interval(
                x, y, found.layer_x, found.layer_y, draws["resamples"], draws["confidence"], draws["seed"]
            )
            grids.append(pair_scores(x, y).numpy())
            rows.append(
                {
                    "rule": rule,
                    "n": n,
                    "draw": draw,
                    "k": neighbours,
                    "layer_x": found.layer_x,
                    "layer_y": found.layer_y,
                    "score": found.score,
                    "ci_low": ends[0],
                    "ci_high": ends[1],
                    "chance": neighbours / (n - 1),
                    **{
                        key: getattr(found, key)
                        for key in ("null_mean", "tau", "p_value", "calibrated_score")
                    },
                }
            )
    last = {row["rule"]: row for row in rows[-2:]}  # of all items
    for row, grid in zip(rows, grids, strict=True):
        row["fixed_layers_score"] = float(grid[last[row["rule"]]["layer_x"], last[row["rule"]]["layer_y"]])
    return rows
