"""How far apart language models of one family are as distributions."""

import pandas as pd

from prh.errors import InputError
from prh.features.tensors import read_tensors
from prh.job import job
from prh.performance.likelihoods import d_llv, d_logit, intervals
from prh.tables import LIKELIHOODS, LIKELIHOODS_FORMAT, write_table

with job(snakemake) as out:
    params, rows = snakemake.params, []
    paths = dict(zip(params.models, snakemake.input.likelihoods, strict=True))
    found = {name: read_tensors(path, LIKELIHOODS_FORMAT) for name, path in paths.items()}
    for x, y in params.pairs:
        (a, facts), (b, _) = found[x], found[y]
        if not a["labels"].equal(b["labels"]):
            raise InputError(
                f"{paths[x]} and {paths[y]} have other tokens: their models have another tokenizer; give them other families"
            )
        sides = a["log_likelihoods"], b["log_likelihoods"]
        row = {
            "corpus": facts["corpus"],
            "model_x": x,
            "model_y": y,
            "inputs": len(sides[0]),
            "labels": sides[0].shape[1],
        }
        row |= {"d_logit": d_logit(*sides)} | intervals(
            *sides, params.resamples, params.confidence, params.seed
        )
        rows.append(row | d_llv(*sides, min(params.widths[x], params.widths[y]), params.seed))
    write_table(pd.DataFrame(rows)[LIKELIHOODS], out.table)
