"""Kernels of many samples by blocks are those of the whole matrix, within the error that they say."""

import pytest
import torch

from prh.alignment.blocks import make_blocks
from prh.alignment.catalogue import METRICS
from prh.alignment.metrics import layer_state, pair_scores
from prh.alignment.neighbors import centre
from prh.alignment.preprocess import prepare
from prh.errors import InputError

torch.set_num_threads(1)
N = 600  # more than a block, and no multiple of one


@pytest.fixture(scope="module")
def models():
    generator = torch.Generator().manual_seed(0)

    def noise(*shape):
        return torch.randn(*shape, generator=generator)

    common, sides = noise(N, 20), []
    for layers, width in ((3, 64), (2, 48)):
        sides.append([common @ noise(20, width) + 2 * noise(N, width) for _ in range(layers)])
    sides[0][1][[3, 590]] = sides[0][1][7].clone()  # samples that are equal
    return [prepare(side) for side in sides]


@pytest.mark.parametrize(
    "metric", ["rsa", "trsa_0_0.075", "trsa_0.2_0.8", "cka_rbf_0.5", "cka_rbf_1", "cka_rbf_5"]
)
def test_blocks_give_what_the_matrix_gives(models, metric, monkeypatch):
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    whole = [layer_state(metric, side) for side in models]
    for module in ("kernels", "distances"):
        monkeypatch.setattr(f"prh.alignment.{module}.DENSE_LIMIT", 10)
    blocks = [layer_state(metric, side) for side in models]
    allowed = 2e-6 + blocks[0].data.errors[:, None] + blocks[1].data.errors
    assert float(allowed.max()) < 2e-3
    for permutation in (None, order):
        off = (pair_scores(*blocks, permutation) - pair_scores(*whole, permutation)).abs()
        assert bool((off <= allowed).all()), off.max()
    assert torch.allclose(blocks[0].data.squares, whole[0].data.squares, rtol=1e-3)


def test_the_error_that_is_said_is_the_length_that_bins_lose(models):
    """Of distances in few bins: the score is off by no more than said, and what is said is not idle."""
    layers = [centre(layer) for layer in models[0]]
    rough = make_blocks(
        [(1 + 1e-4 * layer[:, :1]) * torch.eye(N) for layer in layers[:1]], "ranks", 1.0, (0.0, 1.0)
    )
    fine = make_blocks(layers, "ranks", 1.0, (0.0, 1.0))
    assert 1e-4 < float(rough.errors[0]) < 1
    assert float(fine.errors.max()) < 1e-4


def test_windows_without_width_tell_the_rest_apart():
    """30 of 1,770 distances are 0 and all others equal: a window's two ends are one value."""
    layer = torch.eye(30).repeat_interleave(2, dim=0)
    blocks = make_blocks([centre(layer)], "ranks", 1.0, (0.2, 0.8))
    assert float(blocks.squares[0]) == pytest.approx(2 * 30 * 1740 / 1770)


@pytest.mark.parametrize("metric", ["rsa", "cka_rbf_1", "trsa_0.1_0.2"])
def test_beyond_what_blocks_are_for(metric):
    with pytest.raises(InputError, match=f"{metric} takes at most 50,000 samples, here 50,001; take fewer"):
        layer_state(metric, [torch.zeros(50_001, 1)])
    assert METRICS["cka"].most is None
