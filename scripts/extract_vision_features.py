"""Features of all images under one vision model."""

from pathlib import Path
from types import SimpleNamespace

from prh.datasets import read_captions
from prh.errors import about
from prh.features import check_layers, describe, write_features
from prh.job import job, use_threads
from prh.vision import extract_features, load, pooling

with job(snakemake) as out:
    params = snakemake.params
    row = SimpleNamespace(**params.row)
    use_threads(snakemake.threads)
    folder = Path(snakemake.input.dataset)
    images = [folder / image for image in read_captions(folder).image]
    layers_of = load(row, snakemake.input.model, params.device, snakemake.threads)
    with about(snakemake.input.model):
        layers = extract_features(layers_of, row, images, params.batch_images)
    check_layers(layers, params.row)
    write_features(out.features, layers, describe(params.row, pooling(row), **snakemake.input))
