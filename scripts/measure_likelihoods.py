"""A language model's log-likelihoods of the commonest tokens of a text, at its first places."""

import torch

from prh.errors import about
from prh.features.loading import check_text, load
from prh.features.tensors import write_tensors
from prh.job import job, use_threads
from prh.performance.labels import label_log_likelihoods
from prh.sources.corpora import read_text
from prh.tables import LIKELIHOODS_FORMAT

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    use_threads(snakemake.threads)
    model, tokenizer = load(
        given.model, "causal_lm", params.device, **params.weights, gpus=snakemake.resources.gpu
    )
    text = read_text(given.text)
    with about(given.model):
        check_text(model, tokenizer, text, params.window)
    values, labels = label_log_likelihoods(
        model, tokenizer, text, params.inputs, params.labels, params.window, model.device
    )
    names = {"model": snakemake.wildcards.model, "corpus": snakemake.wildcards.corpus, **params.weights}
    write_tensors(
        out.likelihoods,
        {"log_likelihoods": values, "labels": labels.to(torch.int64)},
        LIKELIHOODS_FORMAT,
        names,
    )
