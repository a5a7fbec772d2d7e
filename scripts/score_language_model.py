"""Bits per byte of one causal language model on one text; of a model that others are compared with, its likelihoods of labels too."""

from dataclasses import asdict

import torch

from prh.errors import about
from prh.features.loading import check_text, load
from prh.features.tensors import write_tensors
from prh.job import job, use_threads
from prh.performance.bits_per_byte import bits_per_byte
from prh.performance.labels import LabelLikelihoods
from prh.provenance import write_json
from prh.sources.corpora import read_text
from prh.tables import LIKELIHOODS_FORMAT

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    model, tokenizer = load(
        snakemake.input.model, "causal_lm", params.device, **params.weights, gpus=snakemake.resources.gpu
    )
    text = read_text(snakemake.input.text)
    with about(snakemake.input.model):
        check_text(model, tokenizer, text, params.window)
    compared = hasattr(out, "likelihoods")
    seen = LabelLikelihoods(tokenizer, text, params.inputs, params.labels) if compared else None
    score = bits_per_byte(model, tokenizer, text, params.window, params.stride, model.device, seen)
    names = {"model": snakemake.wildcards.model, "corpus": snakemake.wildcards.corpus, **params.weights}
    if compared:
        tensors = {"log_likelihoods": seen.values, "labels": seen.labels.to(torch.int64)}
        write_tensors(out.likelihoods, tensors, LIKELIHOODS_FORMAT, names)
    write_json(out.score, {**names, "window": params.window, "stride": params.stride, **asdict(score)})
