"""Linear probes of the panel's models on the tasks of a data set: the class that each item is given while it is held out."""

import numpy as np
import pandas as pd

from prh.errors import about
from prh.features.layers import read_features
from prh.job import job, progress, use_threads
from prh.performance.probes import held_out
from prh.performance.tasks import coded, halves
from prh.tables import PREDICTIONS, read_parts

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    use_threads(snakemake.threads)
    labels = read_parts([given.labels], [])
    items = halves(len(labels), params.seed)[1] if params.shared else np.arange(len(labels))
    parts = np.random.default_rng(params.seed).permutation(len(labels)) % params.folds
    with about(given.labels):
        items, codes, names = coded(labels, items, params.fewest)
    tables = []
    for model, path in progress(
        list(zip(params.models, given.features, strict=True)), "probing", unit="model"
    ):
        last = read_features(path)[0][-1]
        with about(path):
            found, penalties = held_out(last[items], codes, parts[items], params.penalties, params.device)
        for i, (task, known) in enumerate(names.items()):
            of_items = {"item": items, "part": parts[items], "penalty": penalties[:, i]}
            of_items |= {"label": np.array(known)[codes[:, i]], "predicted": np.array(known)[found[:, i]]}
            tables.append(pd.DataFrame({"model": model, "task": task, **of_items}))
    pd.concat(tables, ignore_index=True)[PREDICTIONS].to_parquet(out.predictions, index=False)
