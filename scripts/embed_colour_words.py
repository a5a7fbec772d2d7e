"""Distances of colour words under a language model: the mean over templates of its embedding of each."""

from types import SimpleNamespace

import torch

from prh.features.language import features_of_captions
from prh.job import job, use_threads
from prh.provenance import write_json
from prh.sources.colours import read_words

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    use_threads(snakemake.threads)
    machine = SimpleNamespace(device=params.device, gpus=snakemake.resources.gpu, weights=params.weights)
    words = read_words(given.words).word.tolist()
    texts = [template.replace("{word}", word) for word in words for template in params.templates]
    layers, _ = features_of_captions(texts, given.model, params.settings, machine)
    last = list(layers.values())[-params.layers :]
    embedding = torch.cat(last, dim=1).double()
    if params.unit:
        embedding = torch.nn.functional.normalize(embedding, dim=1)
    embedding = embedding.reshape(len(words), len(params.templates), -1).mean(dim=1)
    distances = torch.cdist(embedding, embedding)
    found = {"model": params.row["name"], "layers": params.layers, "words": words}
    write_json(out.distances, found | {"distances": distances.tolist()})
