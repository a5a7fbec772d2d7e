"""Permutation nulls for the best layer pair of every language-vision pair of one tile."""

import itertools

import pandas as pd

from prh.alignment import align_states, best_pair, comparable_layers, stacked
from prh.calibration import bootstrap_interval, null_maxima, permutations, summarise
from prh.catalogue import METRICS
from prh.job import job, progress, use_threads
from prh.metrics import layer_state

with job(snakemake) as out:
    params, metric = snakemake.params, snakemake.params.metric
    use_threads(snakemake.threads)
    paths = dict(zip(params.models, snakemake.input.models, strict=True))
    sides = []  # the layers of all language models as if of one, and of all vision models: one null serves all pairs
    for side in zip(*params.pairs, strict=True):
        models = list(dict.fromkeys(side))
        layers = [
            comparable_layers(paths[m], metric, params.clamp, params.concatenate, params.device)
            for m in models
        ]
        ends = list(itertools.accumulate(len(found) for found in layers))
        sides.append((models, [0, *ends[:-1]], ends, stacked(layers)))
    (models_x, starts_x, ends_x, layers_x), (models_y, starts_y, ends_y, layers_y) = sides
    rows = []
    for k in params.k:
        x, y = layer_state(metric, layers_x, k), layer_state(metric, layers_y, k)
        scores = align_states(metric, x, y)
        orders = permutations(x.n, params.permutations, params.seed)
        orders = progress(orders, f"{metric}, k = {k}", unit="permutation")
        null = null_maxima(x, y, orders, starts_x, starts_y)
        for a, b in itertools.product(range(len(models_x)), range(len(models_y))):
            best = best_pair(scores[starts_x[a] : ends_x[a], starts_y[b] : ends_y[b]])
            layer_x, layer_y = starts_x[a] + best.layer_x, starts_y[b] + best.layer_y
            low, high = bootstrap_interval(
                x, y, layer_x, layer_y, params.resamples, params.confidence, params.seed
            )
            found = summarise(best.score, null[:, a, b], params.alpha, METRICS[metric].maximum)
            row = {"dataset": snakemake.wildcards.dataset, "metric": metric, "k": k}
            row |= {"model_x": models_x[a], "model_y": models_y[b], "ci_low": low, "ci_high": high}
            rows.append(row | {name: float(value) for name, value in found.items()})
    pd.DataFrame(rows).astype({"k": "Int64"}).to_parquet(out.scores, index=False)
