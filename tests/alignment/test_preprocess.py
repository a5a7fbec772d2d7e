"""Clamp, normalisation, concatenation and the checks of raw features."""

import numpy as np
import pytest
import torch

from prh.alignment.preprocess import exact_threshold, prepare, sampled_threshold
from prh.errors import InputError

torch.set_num_threads(1)  # small products: threads only wait for each other


def layers(count=3, n=20, d=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, d + i, generator=generator) for i in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_exact_threshold_is_the_order_statistic_over_all_layers(seed):
    x = layers(seed=seed)
    values = torch.cat([layer.abs().flatten() for layer in x]).sort().values
    assert exact_threshold(x) == float(values[int(0.95 * len(values))])


@pytest.mark.parametrize("width", [1, 2, 7, 40])
def test_sampled_threshold_is_the_mean_of_each_samples_quantile(width):
    x = layers(d=width)
    expected = np.quantile(torch.cat(x, dim=1).abs().numpy().astype(float), 0.95, axis=1).mean()
    assert sampled_threshold(x) == pytest.approx(expected, abs=1e-7)


def test_clamp_shares_one_threshold_among_layers():
    small, large = torch.full((20, 5), 0.1), torch.full((20, 5), 10.0)
    small[:, 0], large[:, 0] = torch.arange(20) / 100, torch.arange(20.0)
    x = prepare([small, large], clamp="exact")
    alone = prepare([small], clamp="exact")
    assert not torch.equal(x[0], alone[0])
    assert torch.allclose(x[0], prepare([small], clamp=None)[0])


def test_rows_are_unit_float32_for_every_input_type():
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        for layer in prepare([layer.to(dtype) for layer in layers()]):
            assert layer.dtype == torch.float32
            assert torch.allclose(layer.norm(dim=1), torch.ones(20), atol=1e-6)
    assert torch.equal(prepare([layers()[0].numpy()])[0], prepare(layers()[:1])[0])


def test_concatenation_is_one_more_layer_of_the_clamped_features():
    x = layers()
    with_all = prepare(x, clamp=None, concatenate=True)
    assert len(with_all) == 4
    assert torch.allclose(with_all[3], torch.nn.functional.normalize(torch.cat(x, dim=1), dim=1), atol=1e-6)


def spoilt(change):
    x = layers()
    change(x)
    return x


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[1].__setitem__((4, 2), torch.nan), "layer 1, row 4: NaN or infinity"),
        (lambda x: x[2].__setitem__((7, 0), -torch.inf), "layer 2, row 7: NaN or infinity"),
        (lambda x: x[0].__setitem__(3, 0.0), "layer 0, row 3: all features are zero"),
        (lambda x: x[1].fill_(2.0), "layer 1: constant features"),
        (lambda x: x.__setitem__(2, x[2][:5]), "layer 2 has 5 samples, layer 0 has 20"),
        (lambda x: x.__setitem__(0, x[0][0]), "layer 0 has shape"),
        (lambda x: x.__setitem__(0, x[0].int()), "layer 0 has dtype"),
        (lambda x: x.clear(), "no layers"),
    ],
)
def test_bad_features_name_the_culprit(change, message):
    with pytest.raises(InputError, match=message):
        prepare(spoilt(change))


def test_unknown_clamp():
    with pytest.raises(InputError, match="unknown clamp 'median'"):
        prepare(layers(), clamp="median")
