"""The nearest neighbours of every item, in every layer of one model."""

from prh.alignment.neighbors import index_layers, write_index
from prh.alignment.preprocess import prepared
from prh.errors import about
from prh.features.layers import read_features
from prh.job import job, use_threads

with job(snakemake) as out:
    params = snakemake.params
    use_threads(snakemake.threads)
    layers, names, metadata = read_features(snakemake.input.features)
    with about(snakemake.input.features):
        ids = index_layers(prepared(layers, params.clamp, params.concatenate, params.device), params.k_max)
    names += ["all layers"] * params.concatenate
    write_index(out.neighbors, ids, {"model": metadata["model"], "layers": ",".join(names)})
