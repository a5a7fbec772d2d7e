"""What a layer's features are like before anything is compared: which layers can be compared at all.

The cone: the mean cosine of all pairs of samples (Liang et al. 2022, arXiv:2203.02053, section 2). The effective dimension: the
participation ratio of the centred features, (sum of eigenvalues)^2 / sum of their squares.
"""

import torch

from prh.alignment.neighbors import centre, gram
from prh.alignment.preprocess import exact_threshold, sampled_threshold


def describe_layers(layers, clamp):
    """Rows (dicts) of a model's raw layers (n, d_l): layer, width, norm, mean_cosine, dimension, clamped.

    clamp: as `preprocess.prepare` takes it; norm: mean length of a sample's features; clamped: share of values beyond the threshold.
    """
    layers = [torch.as_tensor(layer).float() for layer in layers]
    limit = {"exact": exact_threshold, "sampled": sampled_threshold}[clamp](layers) if clamp else float("inf")
    return [
        {
            "layer": number,
            "width": layer.shape[1],
            "norm": float(torch.linalg.vector_norm(layer, dim=1).mean()),
            "mean_cosine": mean_cosine(layer),
            "dimension": participation_ratio(layer),
            "clamped": float((layer.abs() > limit).double().mean()),
        }
        for number, layer in enumerate(layers)
    ]


def mean_cosine(layer):
    """The mean cosine of all pairs of rows of (n, d): (|sum of unit rows|^2 - n) / (n (n - 1))."""
    unit = torch.nn.functional.normalize(layer.double(), dim=1)
    n = len(unit)
    return float((unit.sum(dim=0).square().sum() - n) / (n * (n - 1)))


def participation_ratio(layer):
    """(tr C)^2 / tr C^2 of the covariance C of (n, d), by the smaller of the two Gram matrices; 1 to min(n - 1, d)."""
    points = centre(layer.double())
    products = gram(points if len(points) < points.shape[1] else points.T.contiguous())
    return float(products.diagonal().sum().square() / products.square().sum())
