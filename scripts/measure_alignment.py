"""One metric for all layer pairs of all model pairs of one tile."""

import numpy as np
import pandas as pd

from prh.alignment.align import align_states, open_tile
from prh.alignment.blocks import Blocks
from prh.alignment.catalogue import METRICS
from prh.alignment.metrics import layer_state
from prh.alignment.trees import distances_lite
from prh.errors import about
from prh.job import job, progress, use_threads
from prh.tables import DISTANCE, ERROR

with job(snakemake) as out:
    params, metric = snakemake.params, snakemake.params.metric
    use_threads(snakemake.threads)
    paths, layers = open_tile(params, snakemake.input.models)
    parts = []
    for k in params.k:
        states = {}
        for model, found in layers.items():
            with about(paths[model]):
                states[model] = layer_state(metric, found, k)
        for x, y in progress(params.pairs, f"{metric}, k = {k}", unit="pair"):
            with about(f"{paths[x]} and {paths[y]}"):
                scores = align_states(metric, states[x], states[y])
            layer_x, layer_y = (axis.ravel() for axis in np.indices(scores.shape))
            part = {
                "dataset": snakemake.wildcards.dataset,
                "metric": metric,
                "k": k,
                "model_x": x,
                "model_y": y,
            }
            part |= {"layer_x": layer_x, "layer_y": layer_y, "score": scores.ravel(), "n": states[x].n}
            if METRICS[metric].family == "tree":
                part[DISTANCE] = distances_lite(states[x].data, states[y].data, scores).ravel()
            if METRICS[metric].kernel == "ranks" and isinstance(states[x].data, Blocks):
                part[ERROR] = (states[x].data.errors[:, None] + states[y].data.errors).numpy().ravel()
            parts.append(pd.DataFrame(part).astype({"k": "Int64"}))
    pd.concat(parts, ignore_index=True).to_parquet(out.scores, index=False)
