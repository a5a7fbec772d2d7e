"""At which distances chosen pairs of models agree: geo-topological RSA over windows, at the best layers of the main metric."""

from functools import lru_cache
from itertools import islice

import pandas as pd

from prh.alignment.best import named, read_best
from prh.alignment.preprocess import prepared
from prh.alignment.windows import window_rows
from prh.errors import about
from prh.features.layers import read_features
from prh.job import job, progress, use_threads
from prh.tables import WINDOWS, write_table

with job(snakemake) as out:
    given, params, rows = snakemake.input, snakemake.params, []
    use_threads(snakemake.threads)
    alignment = read_best(given.tiles)
    paths = dict(zip(map(tuple, params.of), given.features, strict=True))

    @lru_cache(maxsize=2)  # pairs that follow each other often share a layer
    def prepared_layer(dataset, model, number):
        """A layer as it is compared: clamped with all of its model."""
        path = paths[dataset, model]
        with about(path):
            layers = prepared(read_features(path)[0], params.clamp, params.concatenate, params.device)
            return next(islice(layers, number, None))

    tasks = [(dataset, pair) for dataset in params.datasets for pair in params.pairs]
    for dataset, (x, y) in progress(tasks, "windows", unit="pair"):
        table = named(alignment, dataset)
        best = table[(table.name == params.metric) & (table.model_x == x) & (table.model_y == y)].iloc[0]
        numbers = int(best.layer_x), int(best.layer_y)
        sides = [
            prepared_layer(dataset, model, number) for model, number in zip((x, y), numbers, strict=True)
        ]
        facts = dict(
            zip(
                ("dataset", "model_x", "model_y", "layer_x", "layer_y"),
                (dataset, x, y, *numbers),
                strict=True,
            )
        )
        found = window_rows(*sides, params.edges, **params.draws)
        rows += [facts | row for row in found]
    write_table(pd.DataFrame(rows)[WINDOWS], out.table)
