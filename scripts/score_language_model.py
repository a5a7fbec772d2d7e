"""Bits per byte of one causal language model on one text."""

from dataclasses import asdict

from prh.errors import about
from prh.features.loading import check_text, load
from prh.job import job, use_threads
from prh.performance.bits_per_byte import bits_per_byte
from prh.provenance import write_json
from prh.sources.corpora import read_text

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    model, tokenizer = load(
        snakemake.input.model, "causal_lm", params.device, **params.weights, gpus=snakemake.resources.gpu
    )
    text = read_text(snakemake.input.text)
    with about(snakemake.input.model):
        check_text(model, tokenizer, text, params.window)
    score = bits_per_byte(model, tokenizer, text, params.window, params.stride, model.device)
    names = {"model": snakemake.wildcards.model, "corpus": snakemake.wildcards.corpus}
    settings = {**params.weights, "window": params.window, "stride": params.stride}
    write_json(out.score, {**names, **settings, **asdict(score)})
