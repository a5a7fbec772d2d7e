"""Figure 10 of the paper: CKNNA from few neighbours to many, in all its variants."""

from prh.alignment.best import across
from prh.figures.metrics import CKNNA, cknna_by_k, cknna_sweep
from prh.figures.style import save
from prh.job import job
from prh.tables import read_table

with job(snakemake) as out:
    params = snakemake.params
    table = across(read_table(snakemake.input.alignment), params.dataset)
    trained = [model for model, row in params.models.items() if row["init"] != "random"]
    sweep = cknna_sweep(table[table.metric.isin(CKNNA) & table.model_y.isin(trained)])
    save(cknna_by_k(sweep, params.models, params.caption), sweep, out)
