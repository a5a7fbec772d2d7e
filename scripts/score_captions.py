"""Bits per byte of one causal language model on the captions of a data set."""

from dataclasses import asdict

from prh.errors import about
from prh.features.loading import load
from prh.job import job, use_threads
from prh.performance.bits_per_byte import caption_bits_per_byte
from prh.provenance import write_json
from prh.sources.datasets import read_captions, which_caption

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    captions = read_captions(snakemake.input.dataset).caption.tolist()
    model, tokenizer = load(
        snakemake.input.model, "causal_lm", params.device, **params.weights, gpus=snakemake.resources.gpu
    )
    with about(snakemake.input.model):
        score = caption_bits_per_byte(model, tokenizer, captions, params.batch_tokens, model.device)
    names = {"model": snakemake.wildcards.model, "dataset": snakemake.wildcards.dataset}
    names |= which_caption(snakemake.input.dataset)
    write_json(out.score, {**names, **params.weights, **asdict(score)})
