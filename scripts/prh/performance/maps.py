"""Models on a map: two coordinates whose distances are like -log(alignment)."""

import warnings

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from prh.performance.competence import square
from prh.tables import VISION_PLACES

STARTS, NULLS, NULL_STARTS = 40, 19, 2  # of MDS; permutations of the pairs' distances; starts for each


def distances(score, k, n):
    """-log of scores, those of no shared neighbour counted as half a hit, 0.5 / (n k), since its logarithm is finite."""
    return -np.log(np.maximum(score, 0.5 / (n * k)))


def place(apart, how, seed, starts=STARTS):
    """Coordinates (m, 2) for models at these distances (m, m); their mean is 0. how: "mds" (SMACOF) or "umap"."""
    if how == "umap":
        from umap import UMAP  # in an environment of its own

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that with a seed it runs in one thread
            found = UMAP(
                metric="precomputed", n_neighbors=min(15, len(apart) - 1), init="random", random_state=seed
            )
            places = found.fit_transform(apart).astype(float)
    else:
        from sklearn.manifold import MDS

        found = MDS(metric="precomputed", n_init=starts, init="random", random_state=seed)
        places = found.fit_transform(apart)
    return places - places.mean(axis=0)


def agreement(apart, places):
    """Spearman's correlation of the distances (m, m) with those on the map."""
    return float(stats.spearmanr(squareform(apart, checks=False), pdist(places)).statistic)


def map_of(pairs, models, how, confidence, seed):
    """The table `VISION_PLACES`: coordinates, and how well their distances follow -log(alignment), beside the same of permuted distances.

    pairs: of all models with each other, columns model_x, model_y, k, score, chance, which is k / (n - 1) on n images.
    """
    k = int(pairs.k.iloc[0])
    apart = distances(square(pairs, models).to_numpy(), k, 1 + round(k / pairs.chance.iloc[0]))
    np.fill_diagonal(apart, 0)
    places, rng = place(apart, how, seed), np.random.default_rng(seed)
    null = []
    for _ in range(NULLS):
        other = squareform(rng.permutation(squareform(apart, checks=False)))
        null.append(agreement(other, place(other, how, seed, NULL_STARTS)))
    facts = {"agreement": agreement(apart, places), "agreement_null": np.quantile(null, confidence)}
    return pd.DataFrame({"model": models, "x": places[:, 0], "y": places[:, 1], **facts})[VISION_PLACES]
