"""Benchmark scores and bits per byte of the captions as one table; published scores where none was measured."""

import pandas as pd

from prh.tables import DOWNSTREAM

# What `score_captions` says of a model.
OF_A_MODEL = ["model", "bits_per_byte", "pooled_bits_per_byte", "longest_tokens", "captions"]
MEASURED = "this run"
# Measures of the downstream table that are no benchmarks.
CAPTIONS, POOLED, LONGEST = (
    "bits per byte (captions)",
    "bits per byte (captions, pooled)",
    "longest caption (tokens)",
)
OF_CAPTIONS = (CAPTIONS, POOLED, LONGEST)


def downstream_table(captions, measured, published, models):
    """One row per model and measure; `published` fills in what was not measured, and says so in `source`.

    captions: mappings as `score_captions` writes them; measured: as `evaluate_downstream` does; published: a table as
    `read_benchmarks` gives it, or None.
    """
    rows = []
    for found in captions:
        values = (found["bits_per_byte"], found["pooled_bits_per_byte"], found["longest_tokens"])
        for measure, value in zip(OF_CAPTIONS, values, strict=True):
            row = {"measure": measure, "value": value, "documents": found["captions"]}
            rows.append({"model": found["model"], "source": MEASURED, **row})
    for found in measured:
        for score in found["scores"]:
            row = {"measure": score["task"], "value": score["value"]}
            row |= {key: score[key] for key in ("shots", "stderr", "documents")}
            version = f"{score['measure']}, task version {score['task_version']}, lm-eval {score['lm_eval']}"
            rows.append({"model": found["model"], "source": MEASURED, "version": version, **row})
    done = {(row["model"], row["measure"]) for row in rows}
    for row in published.to_dict("records") if published is not None else ():
        if row["model"] in models and (row["model"], row["measure"]) not in done:
            rows.append({**row, "source": f"published: {row['source']}"})
    table = pd.DataFrame(rows, columns=DOWNSTREAM)
    return table.astype({"shots": "Int64", "documents": "Int64"})
