"""The best layer pair of every model pair, of all data sets, as one tidy table."""

import pandas as pd

from prh.job import job
from prh.tables import ALIGNMENT, best_layer_pairs, write_table

with job(snakemake) as out:
    layers = pd.concat([pd.read_parquet(tile) for tile in snakemake.input.tiles], ignore_index=True)
    table = best_layer_pairs(layers)
    for side in ("x", "y"):
        table[f"modality_{side}"] = table[f"model_{side}"].map(snakemake.params.modality)
    write_table(table[list(ALIGNMENT)], out.table)
