"""One metric, or several of the same distances, for all layer pairs of all model pairs of one tile."""

import numpy as np
import pandas as pd

from prh.alignment.align import align_states, open_tile
from prh.alignment.blocks import Blocks
from prh.alignment.catalogue import METRICS
from prh.alignment.metrics import layer_states
from prh.alignment.trees import distances_lite
from prh.errors import about
from prh.job import job, progress, use_threads
from prh.tables import DISTANCE, ERROR

with job(snakemake) as out:
    params, metrics = snakemake.params, snakemake.params.metrics
    use_threads(snakemake.threads)
    paths, layers = open_tile(params, metrics, snakemake.input.models)
    parts = {metric: [] for metric in metrics}
    for k in dict.fromkeys(k for ks in metrics.values() for k in ks):
        names, states = [metric for metric, ks in metrics.items() if k in ks], {}
        for model, found in progress(layers.items(), f"layers for {', '.join(names)}, k = {k}", unit="model"):
            with about(paths[model]):
                states[model] = layer_states(names, found, k)
        for metric in names:
            for x, y in progress(params.pairs, f"{metric}, k = {k}", unit="pair"):
                one, other = states[x][metric], states[y][metric]
                with about(f"{paths[x]} and {paths[y]}"):
                    scores = align_states(metric, one, other)
                layer_x, layer_y = (axis.ravel() for axis in np.indices(scores.shape))
                part = {
                    "dataset": snakemake.wildcards.dataset,
                    "metric": metric,
                    "k": k,
                    "model_x": x,
                    "model_y": y,
                }
                part |= {"layer_x": layer_x, "layer_y": layer_y, "score": scores.ravel(), "n": one.n}
                if METRICS[metric].family == "tree":
                    part[DISTANCE] = distances_lite(one.data, other.data, scores).ravel()
                if METRICS[metric].kernel == "ranks" and isinstance(one.data, Blocks):
                    part[ERROR] = (one.data.errors[:, None] + other.data.errors).numpy().ravel()
                parts[metric].append(pd.DataFrame(part).astype({"k": "Int64"}))
    for output, metric in zip(snakemake.output.keys(), metrics, strict=True):
        pd.concat(parts[metric], ignore_index=True).to_parquet(getattr(out, output), index=False)
