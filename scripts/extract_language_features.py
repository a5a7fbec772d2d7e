"""Features of all captions under one language model."""

from prh.datasets import read_captions
from prh.errors import about
from prh.features import check_layers, describe, write_features
from prh.job import job, use_threads
from prh.language import extract_features, load

POOLING = {"mean": "mean over valid tokens", "last": "last token"}
USUAL = {"mode": "robust", "prompt": None}  # not mentioned in the metadata

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    captions = read_captions(snakemake.input.dataset).caption.tolist()
    model, tokenizer = load(
        snakemake.input.model, "text_encoder", params.device, **params.weights, gpus=snakemake.resources.gpu
    )
    with about(snakemake.input.model):
        layers = extract_features(
            model, tokenizer, captions, params.batch_tokens, model.device, **params.options
        )
    check_layers(layers, params.row)
    metadata = describe(params.row, POOLING[params.options["pooling"]], **snakemake.input)
    metadata |= {key: params.options[key] for key in USUAL if params.options[key] != USUAL[key]}
    write_features(out.features, layers, metadata | params.weights)
