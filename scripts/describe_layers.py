"""What the layers of all models are like: cone, effective dimension, norm, share of values clamped."""

import pandas as pd

from prh.alignment.describe import describe_layers
from prh.errors import about
from prh.features.layers import read_features
from prh.job import job, progress
from prh.tables import LAYERS, write_table

with job(snakemake) as out:
    params, rows = snakemake.params, []
    tasks = list(zip(params.of, snakemake.input.features, strict=True))
    for (dataset, model), path in progress(tasks, "describing", unit="model"):
        layers, names, _ = read_features(path)
        with about(path):
            found = describe_layers(layers, params.clamp)
        facts = {"dataset": dataset, "model": model}
        rows += [facts | {"name": name} | row for name, row in zip(names, found, strict=True)]
    write_table(pd.DataFrame(rows)[LAYERS], out.table)
