"""One metric for all layer pairs of all model pairs of one tile."""

import numpy as np
import pandas as pd

from prh.alignment import align_states, layer_state
from prh.job import job, progress, use_threads
from prh.neighbors import read_index

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    tables = {path: read_index(path)[0] for path in sorted(set(snakemake.input.neighbors))}
    state = {
        (model, k): layer_state(params.metric, tables[path], k)
        for model, path in zip(params.models, snakemake.input.neighbors, strict=True)
        for k in params.k
    }
    parts = []
    for x, y in progress(params.pairs, params.metric, unit="pair"):
        for k in params.k:
            scores = align_states(params.metric, state[x, k], state[y, k])
            layer_x, layer_y = (axis.ravel() for axis in np.indices(scores.shape))
            part = {"dataset": snakemake.wildcards.dataset, "metric": params.metric, "k": k, "model_x": x}
            part |= {"layer_x": layer_x, "model_y": y, "layer_y": layer_y, "score": scores.ravel()}
            parts.append(pd.DataFrame({**part, "chance": k / (state[x, k].n - 1)}))
    pd.concat(parts, ignore_index=True).to_parquet(out.scores, index=False)
