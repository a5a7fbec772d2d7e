"""Long captions in few words, by an instruct model, with the words that each summary really has."""

import pandas as pd

from prh.errors import about
from prh.features.loading import load
from prh.features.summaries import summarise
from prh.job import job, progress, use_threads
from prh.sources.caption_levels import SUMMARIES, choose_items
from prh.sources.datasets import read_captions

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    use_threads(snakemake.threads)
    model, tokenizer = load(
        given.model, "causal_lm", params.device, **params.weights, gpus=snakemake.resources.gpu
    )
    captions, rows = read_captions(given.dataset).caption, []
    tasks = [
        (n, item) for n in params.levels for item in choose_items(len(captions), params.drawn, params.seed)
    ]
    for asked, item in progress(tasks, "summarising", unit="caption"):
        with about(f"{given.dataset}, item {item}"):
            text, tokens = summarise(model, tokenizer, captions[item], asked)
        rows.append((item, asked, len(text.split()), text, tokens))
    pd.DataFrame(rows, columns=SUMMARIES).to_parquet(out.summaries, index=False)
