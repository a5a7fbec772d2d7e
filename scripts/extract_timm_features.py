"""Features of all images under one ViT of timm's."""

from pathlib import Path

from prh.datasets import read_captions
from prh.errors import about
from prh.features import check_layers, describe, write_features
from prh.job import job, use_threads
from prh.timm_vit import extract_features, load

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    folder = Path(snakemake.input.dataset)
    images = [folder / image for image in read_captions(folder).image]
    model, transform = load(snakemake.input.model, params.row["dtype"] or "float32", params.device)
    with about(snakemake.input.model):
        layers = extract_features(model, transform, images, params.batch_images)
    check_layers(layers, params.row)
    metadata = describe(params.row, "class token of each block", **snakemake.input)
    write_features(out.features, layers, metadata)
