"""Captions of a data set at several densities, from the names and keywords of its drawings."""

from prh.job import job
from prh.sources.caption_levels import choose_items, keyword_levels
from prh.sources.datasets import read_captions
from prh.sources.openmoji import words_of

with job(snakemake) as out:
    params, captions = snakemake.params, read_captions(snakemake.input.dataset)
    words = words_of(captions.id, snakemake.input.packages)
    items = choose_items(len(captions), params.drawn, params.seed)
    levels = keyword_levels(words, captions.caption, params.levels, items, params.seed)
    levels.to_parquet(out.levels, index=False)
