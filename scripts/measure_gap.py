"""How far apart the two towers of one space lie, and what that does."""

import pandas as pd

from prh.alignment.gap import describe_gap
from prh.errors import about
from prh.features.layers import read_features
from prh.job import job, progress, use_threads
from prh.tables import GAP, write_table

with job(snakemake) as out:
    params, rows = snakemake.params, []
    use_threads(snakemake.threads)
    tasks = list(zip(params.models, snakemake.input.features, strict=True))
    for model, path in progress(tasks, "measuring", unit="model"):
        (texts, images), _, facts = read_features(path)
        with about(path):
            found = describe_gap(images, texts, params.shifts, facts["logit_scale"], params.k, params.draws)
        same = {"dataset": params.dataset[0], "model": model, "n": len(texts)}
        rows += [{**same, "captions_cut": facts["captions_cut"], **row} for row in found]
    write_table(pd.DataFrame(rows)[GAP], out.table)
