"""Captions of a data set at several densities: from summaries, or from the names and keywords of its drawings."""

import pandas as pd

from prh.job import job
from prh.sources.caption_levels import choose_items, keyword_levels, summary_levels
from prh.sources.datasets import read_captions
from prh.sources.openmoji import words_of

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    if given.summaries:
        levels = summary_levels(pd.read_parquet(given.summaries), params.seed)
    else:
        captions = read_captions(given.dataset)
        words = words_of(captions.id, given.packages)
        items = choose_items(len(captions), params.drawn, params.seed)
        levels = keyword_levels(words, captions.caption, params.levels, items, params.seed)
    levels.to_parquet(out.levels, index=False)
