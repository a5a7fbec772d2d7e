"""The protocol and every metric once more, in plain numpy and float64: what the audit compares with.

Written from the definitions and apart from the rest of the library, which it imports nothing of: no blocks, no sparse
tables, no shared kernels. Slow, and meant for samples.
"""

import re

import numpy as np

SINGULAR_VECTORS = 10


class Prepared:
    """The layers of a model, clamped to the 95th percentile of |x| and L2-normalised; [i] gives one, (n, d) float64.

    layers: raw features, (n, d_l) each. clamp: "exact", over all elements of all layers, the element of rank
    floor(0.95 N); "sampled", the mean over samples of each one's percentile; None. concatenate: one more layer of all
    the others.
    """

    def __init__(self, layers, clamp, concatenate):
        self.layers = [np.asarray(layer, dtype=np.float32) for layer in layers]
        self.threshold = np.inf
        if clamp == "exact":
            values = np.abs(np.concatenate([layer.ravel() for layer in self.layers]))
            rank = int(0.95 * values.size)
            self.threshold = np.partition(values, rank)[rank]
        elif clamp == "sampled":
            rows = np.abs(np.concatenate(self.layers, axis=1)).astype(float)
            self.threshold = np.quantile(rows, 0.95, axis=1).mean()
        self.concatenate = concatenate

    def __len__(self):
        """The number of layers."""
        return len(self.layers) + bool(self.concatenate)

    def __getitem__(self, number):
        """A layer, (n, d) float64."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        whole = number == len(self.layers)
        raw = np.concatenate(self.layers, axis=1) if whole else self.layers[number]
        return unit(np.clip(raw.astype(float), -self.threshold, self.threshold))


def unit(matrix):
    """Rows of length 1."""
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def ranked(layer, k):
    """The k nearest neighbours of each row of a prepared layer (n, d), itself left out: (n, k), equals by index."""
    products = layer @ layer.T
    np.fill_diagonal(products, -np.inf)
    return np.argsort(-products, axis=1, kind="stable")[:, :k]


def score(metric, k, x, y, ids_x=None, ids_y=None):
    """A metric's value for one layer pair, as a float.

    x, y: prepared layers (n, d_x), (n, d_y). ids_x, ids_y: their neighbour tables, made anew if they are not given or hold fewer than k.
    """
    if k is not None:
        ids_x, ids_y = (
            ranked(layer, k) if ids is None or ids.shape[1] < k else ids[:, :k]
            for layer, ids in ((x, ids_x), (y, ids_y))
        )
    if metric in ("mutual_knn", "mutual_knn_debiased"):
        share = float(np.mean([np.isin(a, b).mean() for a, b in zip(ids_x, ids_y, strict=True)]))
        chance = k / (len(ids_x) - 1)
        return share if metric == "mutual_knn" else (share - chance) / (1 - chance)
    if metric == "cycle_knn":
        return float(np.mean([any(i in ids_x[j] for j in row) for i, row in enumerate(ids_y)]))
    if metric == "lcs_knn":
        return float(np.mean([common(a, b) / k for a, b in zip(ids_x.tolist(), ids_y.tolist(), strict=True)]))
    if metric == "edit_distance_knn":
        pairs = zip(ids_x.tolist(), ids_y.tolist(), strict=True)
        return float(np.mean([1 - edits(a, b) / k for a, b in pairs]))
    if metric.startswith("cknna"):
        return cknna(metric.removeprefix("cknna").strip("_") or "code", k, x, y, ids_x, ids_y)
    if metric in ("cka", "rv"):
        return cosine(centred(x @ x.T), centred(y @ y.T))
    if metric == "unbiased_cka":  # which centring the features does not change, but it does keep digits
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        own = unbiased_hsic(x @ x.T, x @ x.T) * unbiased_hsic(y @ y.T, y @ y.T)
        return float(unbiased_hsic(x @ x.T, y @ y.T) / np.sqrt(own))
    if metric.startswith("cka_rbf"):
        sigma = float(re.search(r"[\d.]+$", metric)[0])
        kernels = [np.expm1(-distances(layer) / (2 * sigma**2)) for layer in (x, y)]  # centring takes 1 off
        return cosine(*map(centred, kernels))
    if metric == "rsa":
        return float(np.corrcoef(*[ranked_distances(layer) for layer in (x, y)])[0, 1])
    if metric.startswith("trsa_"):
        low, high = map(float, metric.split("_")[1:])
        return float(np.corrcoef(*[clipped(ranked_distances(layer), low, high) for layer in (x, y)])[0, 1])
    if metric == "rtd_lite":
        mean, joint = tree_weights(x, y)
        return float(min(1, joint / mean))
    if metric == "svcca":
        left = [basis(z_scored(layer)) for layer in (x, y)]
        count = min(part.shape[1] for part in left)
        return float(np.linalg.svd(left[0].T @ left[1], compute_uv=False)[:count].mean())
    if metric == "procrustes":
        shapes = [layer - layer.mean(axis=0) for layer in (x, y)]
        shapes = [shape / np.linalg.norm(shape) for shape in shapes]
        return float(np.linalg.svd(shapes[0].T @ shapes[1], compute_uv=False).sum())
    raise NotImplementedError(metric)


def cknna(variant, k, x, y, ids_x, ids_y):
    """Kernel alignment over shared neighbours, in the variants that prh.alignment.cknna names."""
    kernels = []
    masks = []
    for layer, ids in ((x, ids_x), (y, ids_y)):
        kernel = layer @ layer.T
        if variant in ("paper", "centred"):
            rows = kernel.mean(axis=1, keepdims=True)
            kernel = kernel - rows if variant == "paper" else kernel - rows - rows.T + rows.mean()
        mask = np.zeros(kernel.shape, dtype=bool)
        if variant == "followup":  # a sample is its own first neighbour
            np.fill_diagonal(mask, True)
            ids = ids[:, : k - 1]
        np.put_along_axis(mask, ids.astype(np.int64), True, axis=1)
        kernels.append(kernel)
        masks.append(mask)

    def aligned(a, b, mask):
        a, b, n = a * mask, b * mask, len(a)
        if variant in ("paper", "centred"):
            return (a * b).sum()
        trace, totals, cross = (a * b.T).sum(), a.sum() * b.sum(), a.sum(axis=0) @ b.sum(axis=1)
        if variant == "followup":
            return trace - (cross + b.sum(axis=0) @ a.sum(axis=1)) / n + totals / n**2
        return (trace + totals / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)) / (n * (n - 3))

    own = [aligned(kernel, kernel, mask) for kernel, mask in zip(kernels, masks, strict=True)]
    if min(own) <= 0:
        return 0.0
    return float(aligned(*kernels, masks[0] & masks[1]) / np.sqrt(own[0] * own[1]))


def common(a, b):
    """Length of the longest common subsequence of two lists."""
    lengths = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            longest = max(lengths[i][j + 1], lengths[i + 1][j])
            lengths[i + 1][j + 1] = lengths[i][j] + 1 if left == right else longest
    return lengths[-1][-1]


def edits(a, b):
    """Levenshtein distance of two lists."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


def centred(kernel):
    """HKH."""
    rows = kernel.mean(axis=0)
    return kernel - rows - rows[:, None] + rows.mean()


def cosine(a, b):
    """Cosine of two matrices."""
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b)))


def unbiased_hsic(a, b):
    """Song et al. 2012, equation 5."""
    n = len(a)
    a, b = a - np.diag(np.diag(a)), b - np.diag(np.diag(b))
    cross = a.sum(axis=0) @ b.sum(axis=0)
    return ((a * b).sum() + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)) / (n * (n - 3))


def distances(layer):
    """Squared Euclidean distances of all rows: (n, n)."""
    norms = (layer**2).sum(axis=1)
    out = np.maximum(norms[:, None] + norms - 2 * layer @ layer.T, 0)
    np.fill_diagonal(out, 0)
    return out


def ranked_distances(layer):
    """Ranks of the distances of all pairs of rows. What float32 does not tell apart is equal: rows, and distances."""
    i, j = np.triu_indices(len(layer), 1)
    norms, apart = (layer**2).sum(axis=1), distances(layer)[i, j]
    apart[apart < (4 * np.finfo(np.float32).eps) ** 2 * (norms[i] + norms[j])] = 0
    return mid_ranks(apart.astype(np.float32))


def mid_ranks(values):
    """Ranks from 1, equals sharing the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return (ends - (counts - 1) / 2)[group]


def clipped(ranks, low, high):
    """Ranks from 0 at the quantile `low` to 1 at `high` (Lin and Kriegeskorte 2023); a step where these are one value."""
    below, above = np.quantile(ranks, [low, high])
    if above == below:
        return (ranks > above if (ranks > above).any() else ranks >= above).astype(float)
    return np.clip((ranks - below) / (above - below), 0, 1)


def scaled(matrix):
    """Distances in units of their 0.9-quantile, over all cells (Barannikov et al. 2022)."""
    return matrix / np.quantile(matrix, 0.9)


def tree_weights(x, y):
    """The mean weight of two layers' spanning trees, and the weight of that of the nearer of both distances: RTD-Lite is their difference."""
    a, b = (scaled(np.sqrt(distances(layer))) for layer in (x, y))
    return (tree_weight(a) + tree_weight(b)) / 2, tree_weight(np.minimum(a, b))


def tree_weight(matrix):
    """The weight of a minimum spanning tree of distances (n, n), grown from the first sample (Prim 1957)."""
    nearest, total = matrix[0].copy(), 0.0
    nearest[0] = np.inf
    inside = np.zeros(len(matrix), dtype=bool)
    inside[0] = True
    for _ in range(len(matrix) - 1):
        last = int(nearest.argmin())
        total += nearest[last]
        inside[last] = True
        nearest = np.where(inside, np.inf, np.minimum(nearest, matrix[last]))
    return total


def z_scored(matrix):
    """Columns with mean 0 and standard deviation 1; those that do not vary beyond rounding are 0."""
    largest = np.abs(matrix).max(axis=0)
    matrix = matrix - matrix.mean(axis=0)
    scale = matrix.std(axis=0, ddof=1)
    varies = scale > 1e-12 * largest
    return np.where(varies, matrix / np.where(varies, scale, 1), 0)


def basis(matrix):
    """At most 10 leading left singular vectors of centred columns (n, d), to the rank in float32's precision."""
    vectors, values, _ = np.linalg.svd(matrix, full_matrices=False)
    rank = int((values > max(matrix.shape) * np.finfo(np.float32).eps * values[0]).sum())
    return vectors[:, : min(SINGULAR_VECTORS, rank)]


def null_of_mutual_knn(ids_x, ids_y, k, orders):
    """For each permutation of y's samples the highest mutual k-NN over all layer pairs: (len(orders),) float64.

    ids_x, ids_y: (layers, n, >= k). Row r of the permuted y is row order[r] of y.
    """
    layers_y, n, _ = ids_y.shape
    near = np.zeros((layers_y, n, n), dtype=bool)
    np.put_along_axis(near, ids_y[:, :, :k].astype(np.int64), True, axis=2)
    found = []
    for order in orders:
        hits = near[:, order[None, :, None], order[ids_x[:, :, :k]]]  # (layers_y, layers_x, n, k)
        found.append(hits.mean(axis=(2, 3)).max())
    return np.array(found)


def tail(score, null, alpha):
    """(mean of the null, threshold, p-value) of a score against its null scores.

    The threshold is the ceil((1 - alpha)(K + 1))-th smallest of the null and the score.
    """
    count = len(null)
    rank = int(np.ceil((1 - alpha) * (count + 1) - 1e-9))
    threshold = np.sort(np.append(null, score))[rank - 1]
    return float(null.mean()), float(threshold), (1 + int((null >= score).sum())) / (count + 1)


def step_up(p_values):
    """Benjamini-Hochberg q-values."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(-p, kind="stable")
    ranks = np.arange(len(p), 0, -1)
    out = np.empty(len(p))
    out[order] = np.minimum(np.minimum.accumulate(p[order] * len(p) / ranks), 1)
    return out
