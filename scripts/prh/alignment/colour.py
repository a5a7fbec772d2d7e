"""The geometry of colours from how often they meet: pointwise mutual information, an embedding, its fit to CIELAB (figure 8).

Huh et al. 2024, section 4.2 and appendix D: dissimilarities max K - K, K the pointwise mutual information; metric MDS in three
dimensions; the embedding turned, moved and scaled onto CIELAB (Kabsch 1976, Umeyama 1991), mirrored too, the better of both.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from sklearn.manifold import MDS

from prh.errors import InputError
from prh.sources.colours import to_cielab

DIMENSIONS = 3
NEAR = 1.01  # times the best stress: a layout as good
FEWEST = 5  # colours of which a geometry can be fitted: three coordinates each, and a turn, a shift and a scale to spend
STEMS = {"grey": "gray", "reddish": "red", "greyish": "gray", "bluish": "blue", "whitish": "white"}


def draw_pixel_pairs(images, count, radius, seed):
    """`count` pairs of pixels at most `radius` apart in one image: (count, 2, 3) sRGB, and the image of each, (count,).

    images: (n, height, width, 3). A pair's first pixel and its offset are drawn evenly; offsets that leave the image are drawn again.
    """
    generator, (n, height, width) = np.random.default_rng(seed), images.shape[:3]
    steps = np.arange(-int(radius), int(radius) + 1)
    offsets = np.array([(y, x) for y in steps for x in steps if 0 < y * y + x * x <= radius**2])
    if not len(offsets) or min(height, width) < 2:
        raise InputError(f"no two pixels of an image are at most {radius} apart")
    found, image = [], []
    while sum(map(len, image)) < count:
        which = generator.integers(n, size=count)
        first = np.stack(
            [generator.integers(height, size=count), generator.integers(width, size=count)], axis=1
        )
        second = first + offsets[generator.integers(len(offsets), size=count)]
        inside = ((second >= 0) & (second < (height, width))).all(axis=1)
        which, first, second = which[inside], first[inside], second[inside]
        found.append(np.stack([images[which, p[:, 0], p[:, 1]] for p in (first, second)], axis=1))
        image.append(which)
    return np.concatenate(found)[:count], np.concatenate(image)[:count]


def quantise(pixels, grid):
    """The cell of sRGB values (..., 3) in 0 ... 255 on a grid of so many steps a side: (...,)."""
    steps = np.asarray(pixels, dtype=int) * grid // 256
    return steps[..., 0] * grid * grid + steps[..., 1] * grid + steps[..., 2]


def joint_counts(pairs, size, weights=None):
    """How often cells meet, either first: (size, size), symmetric. pairs: (count, 2) cells."""
    counts = np.bincount(pairs[:, 0] * size + pairs[:, 1], weights, minlength=size * size).reshape(size, size)
    return (counts + counts.T).astype(float)


def word_pairs(texts, words, window):
    """Pairs of `words`, by their numbers, at most `window` words apart in one text: (count, 2), and each one's text, (count,).

    "reddish" counts as red, "grey" as gray.
    """
    place = {word: i for i, word in enumerate(words)}
    stems = {**STEMS, **{f"{word}ish": word for word in words}}
    some = re.compile(rf"\b(?:{'|'.join(map(re.escape, {*place, *stems}))})\b")
    pairs, source = [], []
    for number, text in enumerate(texts):
        text = text.lower()
        if len(some.findall(text)) < 2:
            continue
        tokens = re.findall(r"[a-z]+", text)
        found = [
            (i, place[stems.get(token, token)])
            for i, token in enumerate(tokens)
            if stems.get(token, token) in place
        ]
        for i, (at, one) in enumerate(found):
            for later, other in found[i + 1 :]:
                if later - at > window:
                    break
                if one != other:
                    pairs.append((one, other))
                    source.append(number)
    if not pairs:
        raise InputError(f"the text has no two colour words at most {window} words apart")
    return np.array(pairs), np.array(source)


def pmi(counts, smoothing):
    """Pointwise mutual information log p(i, j) / (p(i) p(j)) of joint counts, `smoothing` added to each cell."""
    joint = (counts + smoothing) / (counts + smoothing).sum()
    margin = joint.sum(axis=1)
    return np.log(joint / np.outer(margin, margin))


def dissimilarity(information):
    """max K - K off the diagonal, 0 on it."""
    found = information.max() - information
    np.fill_diagonal(found, 0)
    return found


def embed(distances, starts, seed, begin=None):
    """Metric MDS in three dimensions from so many random starts, or from `begin`: (layouts (starts, n, 3), stress of each).

    The best first; stress as Kruskal 1964 has it.
    """
    if len(distances) < FEWEST:
        raise InputError(f"{len(distances)} colours are too few for a geometry: at least {FEWEST} are needed")
    found = []
    for number in range(1 if begin is not None else starts):
        scaling = MDS(
            DIMENSIONS, metric="precomputed", n_init=1, init="random", random_state=seed + number, normalized_stress=False
        )  # fmt: skip
        layout = scaling.fit_transform(distances, init=begin)
        found.append((float(np.sqrt(scaling.stress_ * 2 / (distances**2).sum())), layout))
    found.sort(key=lambda one: one[0])
    return np.stack([layout for _, layout in found]), np.array([stress for stress, _ in found])


def fit(layout, target):
    """`layout` (..., n, 3) turned, moved and scaled onto `target` (..., n, 3), or its mirror image: (fitted, R2).

    R2: 1 - the sum of squared residuals over that of target about its mean.
    """
    best = None
    for sign in (1, -1):
        mirrored = layout * np.array([1, 1, sign])
        x, y = (points - points.mean(axis=-2, keepdims=True) for points in (mirrored, target))
        u, values, vt = np.linalg.svd(np.swapaxes(y, -1, -2) @ x)
        turn = np.ones(values.shape)
        turn[..., -1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))  # a rotation, no reflection
        scale = (values * turn).sum(axis=-1) / (x**2).sum(axis=(-1, -2))
        rotated = x @ np.swapaxes((u * turn[..., None, :]) @ vt, -1, -2)
        placed = scale[..., None, None] * rotated
        share = 1 - ((y - placed) ** 2).sum(axis=(-1, -2)) / (y**2).sum(axis=(-1, -2))
        placed = placed + target.mean(axis=-2, keepdims=True)
        if best is None:
            best = placed, share
        else:
            better = share > best[1]
            best = np.where(better[..., None, None], placed, best[0]), np.where(better, share, best[1])
    return best


def compare(distances, layouts, stresses, cielab, permutations, seed):
    """How much like CIELAB distances and their best layout are, and the null: the colours' names permuted.

    Returns (fitted layout, {rho, rho_null95, rho_p, r2, r2_null95, r2_p, r2_fits_low, r2_fits_high}); rho is Spearman's of all
    distances with CIELAB's. A layout in three dimensions fits anything to some degree: R2 says nothing without its null.
    The last two: R2 among all layouts whose stress is within 1 % of the best.
    """
    generator, n = np.random.default_rng(seed), len(cielab)
    orders = np.stack([generator.permutation(n) for _ in range(permutations)])
    (fitted, share), layout = fit(layouts[0], cielab), layouts[0]
    near = fit(layouts[stresses <= NEAR * stresses[0]], cielab)[1]
    ranks = squareform(stats.rankdata(pdist(cielab)))
    own, upper = stats.rankdata(squareform(distances, checks=False)), np.triu_indices(n, 1)
    rho = float(np.corrcoef(own, ranks[upper])[0, 1])
    permuted = np.stack([ranks[np.ix_(order, order)][upper] for order in orders])
    null = {"rho": _correlations(own, permuted), "r2": fit(layout[None], cielab[orders])[1]}
    found = {}
    for name, value in (("rho", rho), ("r2", float(share))):
        found[name] = value
        found[f"{name}_null95"] = float(np.quantile(null[name], 0.95))
        found[f"{name}_p"] = float((1 + (null[name] >= value).sum()) / (permutations + 1))
    return fitted, found | {"r2_fits_low": float(near.min()), "r2_fits_high": float(near.max())}


def correlation(distances, cielab):
    """Spearman's correlation of all distances with those in CIELAB."""
    return float(stats.spearmanr(squareform(distances, checks=False), pdist(cielab)).statistic)


def _correlations(x, rows):
    x, rows = x - x.mean(), rows - rows.mean(axis=1, keepdims=True)
    return rows @ x / np.sqrt((x**2).sum() * (rows**2).sum(axis=1))


@dataclass(frozen=True)
class Meetings:
    """How colours meet: pairs (count, 2) of cells, of which `kept` count, and the item (image, text) of each pair.

    cielab: (kept, 3), where they lie.
    """

    pairs: np.ndarray
    items: np.ndarray
    size: int
    kept: np.ndarray
    cielab: np.ndarray
    smoothing: float

    def distances(self, weights=None):
        """Dissimilarities of the colours kept; weights: of each pair."""
        information = pmi(joint_counts(self.pairs, self.size, weights), self.smoothing)
        return dissimilarity(information[np.ix_(self.kept, self.kept)])

    def shuffled(self, seed):
        """The control: each pair's second colour is another pair's."""
        second = np.random.default_rng(seed).permutation(self.pairs[:, 1])
        return replace(self, pairs=np.stack([self.pairs[:, 0], second], axis=1))


def pixel_meetings(images, pairs, radius, grid, hits, smoothing, seed):
    """The meetings of colours in images (n, height, width, 3): cells of a grid in sRGB that are hit at least so often."""
    pixels, items = draw_pixel_pairs(images, pairs, radius, seed)
    cells, lab = quantise(pixels, grid), to_cielab(pixels.reshape(-1, 3))
    flat, size = cells.ravel(), grid**3
    found = np.bincount(flat, minlength=size)
    kept = np.flatnonzero(found >= hits)
    sums = [np.bincount(flat, lab[:, axis], minlength=size) for axis in range(3)]
    places = np.stack(sums, axis=1)[kept] / found[kept, None]
    return Meetings(cells, items, size, kept, places, smoothing)


def word_meetings(texts, words, cielab, window, smoothing):
    """The meetings of colour words in texts. Raises `InputError` for a word that never meets another."""
    pairs, items = word_pairs(texts, words, window)
    alone = [word for i, word in enumerate(words) if i not in pairs]
    if alone:
        raise InputError(
            f"the text never has `{alone[0]}` within {window} words of another colour; take a longer window, or other "
            "words by `colour_geometry.words`"
        )
    return Meetings(pairs, items, len(words), np.arange(len(words)), np.asarray(cielab), smoothing)


def shuffled_correlations(meetings, count, seed):
    """The control: Spearman's correlation with CIELAB when partners are shuffled, `count` times."""
    shuffles = (meetings.shuffled(seed + number) for number in range(count))
    return np.array([correlation(found.distances(), meetings.cielab) for found in shuffles])


def intervals(meetings, layout, count, middle, seed):
    """Of rho and R2, over items (images, texts) drawn with replacement; each fit goes on from `layout`.

    middle: the two quantiles. Returns those of the deviations from their mean, to be added to the values: {rho: (low, high), r2: ...}.
    """
    generator, rows = np.random.default_rng(seed), []
    n = int(meetings.items.max()) + 1
    ranks = stats.rankdata(pdist(meetings.cielab))
    for _ in range(count):
        drawn = np.bincount(generator.integers(n, size=n), minlength=n)
        distances = meetings.distances(drawn[meetings.items])
        rho = np.corrcoef(stats.rankdata(squareform(distances, checks=False)), ranks)[0, 1]
        rows.append((rho, float(fit(embed(distances, 1, seed, begin=layout)[0][0], meetings.cielab)[1])))
    deviations = np.array(rows) - np.mean(rows, axis=0)
    ends = np.quantile(deviations, middle, axis=0)
    return dict(zip(("rho", "r2"), ends.T.tolist(), strict=True))
