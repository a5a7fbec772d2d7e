"""One causal language model on benchmarks."""

from prh.features.loading import load
from prh.job import job, use_threads
from prh.performance.benchmarks import evaluate
from prh.provenance import write_json

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    model, tokenizer = load(
        snakemake.input.model, "causal_lm", params.device, **params.weights, gpus=snakemake.resources.gpu
    )
    scores = evaluate(model, tokenizer, params.tasks, params.limit)
    write_json(out.scores, {"model": snakemake.wildcards.model, **params.weights, "scores": scores})
