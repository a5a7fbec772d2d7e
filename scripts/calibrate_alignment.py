"""Permutation nulls for the best layer pair of every pair of models of one tile that is calibrated."""

import itertools

import pandas as pd

from prh.alignment.align import align_states, best_pair, open_tile, stacked
from prh.alignment.calibration import bootstrap_interval, null_maxima, permutations, summarise
from prh.alignment.catalogue import METRICS
from prh.alignment.metrics import layer_state
from prh.job import job, progress, use_threads

with job(snakemake) as out:
    params, metric = snakemake.params, snakemake.params.metric
    use_threads(snakemake.threads)
    _, layers = open_tile(params, {metric: params.k}, snakemake.input.models)
    sides = [list(dict.fromkeys(side)) for side in zip(*params.pairs, strict=True)]
    # One permuted kernel serves all models of the other side, and so does a graph whose shared edges are only counted. What is
    # taken for each sample, or each edge, and each pair of layers would grow with all models' layers: there model by model.
    spec = METRICS[metric]
    together = spec.family in ("kernel", "subspace", "tree") or (
        spec.family == "neighbors" and spec.symmetric and not spec.ordinal
    )
    groups = [[side] if together else [[model] for model in side] for side in sides]

    def grouped(group, k):
        """The models of a group, where each one's layers begin and end, and their common state."""
        ends = list(itertools.accumulate(len(layers[model]) for model in group))
        return (
            group,
            [0, *ends[:-1]],
            ends,
            layer_state(metric, stacked([layers[model] for model in group]), k),
        )

    wanted, rows = set(map(tuple, params.pairs)), []
    for k in params.k:
        found = [[grouped(group, k) for group in side] for side in groups]
        orders = permutations(found[0][0][-1].n, params.permutations, params.seed)
        pairs = [(x, y) for x, y in itertools.product(*found) if wanted & {*itertools.product(x[0], y[0])}]
        for (models_x, starts_x, ends_x, x), (models_y, starts_y, ends_y, y) in pairs:
            scores = align_states(metric, x, y)
            what = f"{metric}, k = {k}, {len(pairs)} times"
            null = null_maxima(x, y, progress(orders, what, unit="permutation"), starts_x, starts_y)
            for a, b in itertools.product(range(len(models_x)), range(len(models_y))):
                if (models_x[a], models_y[b]) not in wanted:  # of one modality: a model with itself
                    continue
                best = best_pair(scores[starts_x[a] : ends_x[a], starts_y[b] : ends_y[b]])
                place = starts_x[a] + best.layer_x, starts_y[b] + best.layer_y
                low, high = bootstrap_interval(x, y, *place, params.resamples, params.confidence, params.seed)
                row = {"dataset": snakemake.wildcards.dataset, "metric": metric, "k": k}
                row |= {"model_x": models_x[a], "model_y": models_y[b], "ci_low": low, "ci_high": high}
                summary = summarise(best.score, null[:, a, b], params.alpha, spec.maximum)
                rows.append(row | {name: float(value) for name, value in summary.items()})
    pd.DataFrame(rows).astype({"k": "Int64"}).to_parquet(out.scores, index=False)
