"""Features of all captions under one language model."""

from prh.datasets import read_captions
from prh.features import check_layers, describe, write_features
from prh.job import job, use_threads
from prh.language import extract_features, load

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    captions = read_captions(snakemake.input.dataset).caption.tolist()
    model, tokenizer = load(snakemake.input.model, "text_encoder", params.device)
    layers = extract_features(model, tokenizer, captions, params.batch, params.device)
    check_layers(layers, params.row)
    write_features(out.features, layers, describe(params.row, "mean over valid tokens", **snakemake.input))
