"""The library against well-kept ones: scikit-learn and rsatoolbox."""

import numpy as np
import pytest
import torch
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import calc_rdm, compare
from sklearn.cross_decomposition import CCA
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import normalize

from helpers.scores import score_of
from prh.alignment.neighbors import nearest_neighbors


def models(n=60, seed=0):
    g = torch.Generator().manual_seed(seed)
    shared = torch.randn(n, 8, generator=g)
    sides = [shared @ torch.randn(8, d, generator=g) + 0.5 * torch.randn(n, d, generator=g) for d in (20, 30)]
    return [normalize(side, dim=1) for side in sides]


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_are_those_of_scikit_learn(seed):
    x, _ = models(n=200, seed=seed)
    peer = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(x.double().numpy())
    np.testing.assert_array_equal(nearest_neighbors(x, 10).numpy(), peer.kneighbors(return_distance=False))


@pytest.mark.parametrize("seed", range(3))
def test_svcca_is_canonical_correlation_between_singular_vectors(seed):
    """z-score, keep 10 left singular vectors, correlate canonically: with scikit-learn's CCA in place of ours."""
    sides = [side.double().numpy() for side in models(seed=seed)]
    scored = [(side - side.mean(axis=0)) / side.std(axis=0) for side in sides]
    a, b = (np.linalg.svd(side, full_matrices=False)[0][:, :10] for side in scored)
    u, v = CCA(n_components=10, max_iter=10_000, tol=1e-12, scale=False).fit(a, b).transform(a, b)
    expected = np.mean([np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(10)])
    assert score_of("svcca", *models(seed=seed)) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_rsa_is_that_of_rsatoolbox(seed):
    sides = models(seed=seed)
    distances = [calc_rdm(Dataset(side.double().numpy()), method="euclidean") for side in sides]
    expected = compare(*distances, method="spearman").item()
    assert score_of("rsa", *sides) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_linear_cka_is_the_cosine_of_centred_grams_in_rsatoolbox(seed):
    """rsatoolbox's whitened cosine of squared Euclidean distances under independent noise is linear CKA (Diedrichsen
    et al. 2021, "Comparing representational geometries using whitened unbiased-distance-matrix similarity")."""
    sides = models(seed=seed)
    distances = [calc_rdm(Dataset(side.double().numpy()), method="euclidean") for side in sides]
    expected = compare(*distances, method="cosine_cov").item()
    assert score_of("cka", *sides) == pytest.approx(expected, abs=1e-4)
