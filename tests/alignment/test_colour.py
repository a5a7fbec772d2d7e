import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from helpers.project import ROOT
from prh.alignment import colour
from prh.errors import InputError
from prh.sources.colours import read_words, to_cielab

RNG = np.random.default_rng(0)
PLACES = RNG.uniform([20, -60, -60], [90, 60, 60], size=(24, 3))
TURN = np.linalg.qr(RNG.normal(size=(3, 3)))[0]


def test_distances_of_cielab_itself_fit_it():
    distances = squareform(pdist(PLACES))
    layouts, stresses = colour.embed(distances, 10, 0)
    _, found = colour.compare(distances, layouts, stresses, PLACES, 99, 0)
    assert stresses[0] < 0.01
    assert (np.diff(stresses) >= 0).all()
    assert found["r2_fits_low"] <= found["r2"] <= found["r2_fits_high"]
    assert found["rho"] == pytest.approx(1)
    assert found["r2"] == pytest.approx(1, abs=1e-3)
    assert found["rho_p"] == found["r2_p"] == 0.01


def test_a_turned_scaled_moved_copy_fits_and_a_mirrored_one_too():
    copy = 0.3 * PLACES @ (TURN * np.sign(np.linalg.det(TURN))).T + [5, 6, 7]
    for layout in (copy, copy * [1, 1, -1]):
        fitted, share = colour.fit(layout, PLACES)
        assert share == pytest.approx(1)
        assert np.allclose(fitted, PLACES)


def test_without_the_mirror_image_a_mirrored_copy_does_not_fit(monkeypatch):
    """A rotation alone leaves a part: that both signs are tried is what fits it."""
    x = PLACES * [1, 1, -1]
    x, y = x - x.mean(axis=0), PLACES - PLACES.mean(axis=0)
    u, values, vt = np.linalg.svd(y.T @ x)
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotated = (values * signs).sum() / (x**2).sum() * x @ ((u * signs) @ vt).T
    assert 1 - ((y - rotated) ** 2).sum() / (y**2).sum() < 0.9
    assert colour.fit(PLACES * [1, 1, -1], PLACES)[1] == pytest.approx(1)


def test_fits_of_many_targets_at_once_are_those_of_each():
    orders = [RNG.permutation(len(PLACES)) for _ in range(5)]
    together = colour.fit(PLACES[None], PLACES[np.stack(orders)])[1]
    assert together == pytest.approx([float(colour.fit(PLACES, PLACES[order])[1]) for order in orders])


def planted(scale, pairs=300_000):
    """Meetings of colours with probability exp(-d^2 / 2 scale^2) of their distance d."""
    chance = np.exp(-(squareform(pdist(PLACES)) ** 2) / (2 * scale**2))
    chance /= chance.sum()
    drawn = np.random.default_rng(1).choice(chance.size, size=pairs, p=chance.ravel())
    cells = np.stack(np.divmod(drawn, len(PLACES)), axis=1)
    items = np.arange(pairs) % 100
    return colour.Meetings(cells, items, len(PLACES), np.arange(len(PLACES)), PLACES, 0.5)


def test_a_planted_geometry_is_found_and_shuffled_partners_lose_it():
    meetings = planted(30)
    for found, near in ((meetings, True), (meetings.shuffled(0), False)):
        distances = found.distances()
        _, values = colour.compare(distances, *colour.embed(distances, 10, 0), PLACES, 199, 0)
        assert (values["r2"] > 0.94) == near
        assert (values["rho_p"] < 0.01) == near
        assert (values["r2_p"] < 0.01) == near
    assert abs(colour.shuffled_correlations(meetings, 20, 0).mean()) < 0.05


def test_information_is_symmetric_and_of_a_distribution():
    counts = colour.joint_counts(planted(30, 5000).pairs, len(PLACES))
    assert (counts == counts.T).all()
    assert counts.sum() == 2 * 5000
    information = colour.pmi(counts, 0.5)
    joint = (counts + 0.5) / (counts + 0.5).sum()
    margin = joint.sum(axis=1)
    assert np.allclose(information, information.T)
    assert np.allclose(np.exp(information) * np.outer(margin, margin), joint)
    distances = colour.dissimilarity(information)
    assert (np.diag(distances) == 0).all()
    assert (distances >= 0).all()


def test_pairs_of_pixels_are_near_and_of_one_image():
    """Each pixel's red and green are its place, its blue the image."""
    images = np.zeros((5, 16, 16, 3), dtype=np.uint8)
    images[..., 0], images[..., 1] = np.indices((16, 16))
    images[..., 2] = np.arange(5)[:, None, None]
    pairs, items = colour.draw_pixel_pairs(images, 4000, 4, 0)
    assert pairs.shape == (4000, 2, 3)
    first, second = pairs.astype(int).swapaxes(0, 1)
    apart = ((first - second)[:, :2] ** 2).sum(axis=1)
    assert apart.min() == 1
    assert apart.max() == 16
    assert (first[:, 2] == second[:, 2]).all()
    assert (first[:, 2] == items).all()
    assert colour.quantise([[0, 0, 0], [255, 255, 255], [64, 0, 0]], 4).tolist() == [0, 63, 16]


def test_words_meet_within_the_window_and_under_their_stems():
    texts = [
        "A red and a BLUE thing",
        "reddish, or rather grey",
        "green only",
        "red one two three four five blue",
    ]
    pairs, items = colour.word_pairs(texts, ["red", "blue", "gray", "green"], 4)
    assert pairs.tolist() == [[0, 1], [0, 2]]
    assert items.tolist() == [0, 1]
    with pytest.raises(InputError, match="has no two colour words at most 4 words apart"):
        colour.word_pairs(["nothing here", "red"], ["red", "blue"], 4)
    with pytest.raises(InputError, match="the text never has `green` within 4 words of another colour"):
        colour.word_meetings(texts, ["red", "blue", "gray", "green"], PLACES[:4], 4, 0.5)


def test_intervals_are_about_the_value_and_narrower_with_more():
    meetings = planted(30, 20_000)
    layout, middle = colour.embed(meetings.distances(), 5, 0)[0][0], [0.05, 0.95]
    ends = colour.intervals(meetings, layout, 30, middle, 0)
    for low, high in ends.values():
        assert low < 0 < high
    more = planted(30, 200_000)
    wider = ends["rho"][1] - ends["rho"][0]
    narrower = colour.intervals(more, colour.embed(more.distances(), 5, 0)[0][0], 30, middle, 0)["rho"]
    assert narrower[1] - narrower[0] < wider


def test_too_few_colours():
    with pytest.raises(InputError, match="4 colours are too few for a geometry: at least 5"):
        colour.embed(squareform(pdist(PLACES[:4])), 1, 0)
    with pytest.raises(InputError, match="no two pixels"):
        colour.draw_pixel_pairs(np.zeros((1, 1, 1, 3), dtype=np.uint8), 10, 4, 0)


def test_colour_words_of_the_paper_s_sets():
    table = read_words(ROOT / "config" / "colours.tsv")
    count = {
        name: int(table.sets.map(lambda words, name=name: name in words).sum())
        for name in ("basic", "abdou", "glossary")
    }
    assert count == {"basic": 11, "abdou": 18, "glossary": 20}
    assert to_cielab(table.srgb[table.word == "red"].iloc[0]) == pytest.approx([47.8, 73.8, 62.0], abs=0.05)
