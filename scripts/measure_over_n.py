"""The alignment of chosen pairs of models as items are added, from their cached features."""

import pandas as pd

from prh.alignment.over_n import index_parts, pair_rows, parts_of
from prh.errors import about
from prh.features.layers import read_features
from prh.job import job, progress, use_threads
from prh.tables import OVER_N, write_table

with job(snakemake) as out:
    params, rows, indices, parts = snakemake.params, [], {}, []
    use_threads(snakemake.threads)
    preparation = {key: params[key] for key in ("clamp", "concatenate", "device")}
    tasks = list(zip(params.models, snakemake.input.features, strict=True))
    for model, path in progress(tasks, "neighbours", unit="model"):
        layers = read_features(path)[0]
        with about(path):
            parts = parts or parts_of(len(layers[0]), params.sizes, params.draws, params.null["seed"])
            indices[model] = index_parts(layers, parts, params.k, params.share, **preparation)
        del layers  # before the next model's are read
    for x, y in progress(params.pairs, "measuring", unit="pair"):
        found = pair_rows(indices[x], indices[y], parts, params.k, params.share, params.null)
        rows += [{"dataset": params.dataset[0], "model_x": x, "model_y": y, **row} for row in found]
    write_table(pd.DataFrame(rows)[OVER_N], out.table)
