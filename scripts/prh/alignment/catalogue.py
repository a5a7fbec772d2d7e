"""What is known of each metric, without the arithmetic: the configuration and the figures need it too."""

import re
from dataclasses import dataclass

from prh.errors import InputError

MODES = ("robust", "reference")
SAMPLES_HELD = 8192  # of which n x n matrices are held
MOST_BY_BLOCKS = 50_000  # of which such matrices are made block by block
HELD_OF_A_LAYER = 2**25  # bytes, about, that are then held of each layer beside its features
MOST_IN_TREES = 20_000  # of which spanning trees are found


@dataclass(frozen=True)
class Metric:
    """What is known of a metric; the properties of figure 11 are symmetric, is_global, ordinal and batchable.

    family: "neighbors" (needs only neighbour tables), "cknna" (neighbours and kernel values), "kernel" (n x n
        matrices), "subspace" (features), "tree" (minimum spanning trees of the distances).
    symmetric: m(x, y) = m(y, x). is_global: every pair of samples counts, not only neighbours.
    ordinal: the order of the similarities counts, beyond who is among the k nearest, and not their values.
    batchable: the mean over random batches estimates the value for all samples, at any batch size.
    maximum, minimum: the ends of its range in robust mode, None where it has none.
    cheap_null: a permutation costs far less than computing the metric anew.
    official: the official code has it, so there is a reference mode.
    fewest: items that it needs at least to say anything; with neighbours k + 2. most: items that it takes at most, None where
        there is no limit but memory.
    kernel, sigma, window, variant: which kernel, of which distances, or CKNNA variant it is made of.
    """

    label: str
    family: str
    symmetric: bool = True
    is_global: bool = False
    ordinal: bool = False
    batchable: bool = False
    needs_k: bool = False
    maximum: float | None = 1.0
    minimum: float | None = 0.0
    cheap_null: bool = True
    official: bool = True
    fewest: int = 4
    most: int | None = None
    kernel: str | None = None
    sigma: float = 1.0
    window: tuple[float, float] = (0.0, 1.0)
    variant: str | None = None

    @property
    def of_distances(self) -> bool:
        """Whether it is of the distances of all pairs of samples, which one job finds for all such metrics."""
        return self.kernel == "ranks" or self.family == "tree"


class Catalogue(dict):
    """Metrics by name; also has, of each window of distances l < u, geo-topological RSA as `trsa_L_U`, with 0 <= l and u <= 1."""

    WINDOW = re.compile(r"trsa_(0|1|0?\.\d+|1\.0+)_(0|1|0?\.\d+|1\.0+)")

    def __missing__(self, name):
        """The entry of a window that is not listed. Raises KeyError for anything else."""
        found = self.WINDOW.fullmatch(name)
        window = tuple(map(float, found.groups())) if found else None
        if window is None or window[0] >= window[1]:
            raise KeyError(name)
        return _trsa(*window)

    def __contains__(self, name):
        """Whether there is such a metric, windows that are not listed included."""
        try:
            self[name]
        except KeyError:
            return False
        return True


def _trsa(low: float, high: float) -> Metric:
    """Of a window of near pairs only, the far ones all are one; only a wide one is the same in batches."""
    return Metric(
        f"tRSA (distances {low:g} to {high:g})",
        "kernel",
        is_global=high > 0.5,
        ordinal=True,
        batchable=high - low >= 0.5,
        minimum=-1.0,
        most=MOST_BY_BLOCKS,
        kernel="ranks",
        window=(low, high),
    )


def _knn(label: str, **properties) -> Metric:
    return Metric(label, "neighbors", needs_k=True, **properties)


def _cknna(label: str, variant: str, **properties) -> Metric:
    return Metric(label, "cknna", needs_k=True, minimum=None, variant=variant, **properties)


def _kernel(label: str, kernel: str, **properties) -> Metric:
    most = MOST_BY_BLOCKS if kernel in ("rbf", "ranks") else None
    return Metric(label, "kernel", is_global=True, kernel=kernel, most=most, **properties)


# Names with a number, as cka_rbf_0.5, carry the RBF kernel's sigma, in units of the L2-normalised features.
LISTED: dict[str, Metric] = {
    "mutual_knn": _knn("mutual k-NN"),
    "mutual_knn_debiased": _knn("mutual k-NN, chance-corrected", minimum=None, official=False),
    "cycle_knn": _knn("cycle k-NN", symmetric=False),
    "lcs_knn": _knn("LCS k-NN", ordinal=True),
    "edit_distance_knn": _knn("edit distance k-NN", ordinal=True),
    "cknna": _cknna("CKNNA (as coded)", "code", symmetric=False, maximum=None),
    "cknna_paper": _cknna("CKNNA (equations)", "paper", official=False),
    "cknna_centred": _cknna("CKNNA (doubly centred)", "centred", official=False),
    "cknna_followup": _cknna("CKNNA (follow-up)", "followup", maximum=None, official=False),
    "cka": _kernel("CKA", "linear"),
    "cka_rbf_0.1": _kernel("CKA (RBF 0.1)", "rbf", sigma=0.1, official=False),
    "cka_rbf_0.5": _kernel("CKA (RBF 0.5)", "rbf", sigma=0.5, official=False),
    "cka_rbf_1": _kernel("CKA (RBF 1)", "rbf", sigma=1.0),
    "cka_rbf_2": _kernel("CKA (RBF 2)", "rbf", sigma=2.0, official=False),
    "cka_rbf_5": _kernel("CKA (RBF 5)", "rbf", sigma=5.0, official=False),
    "unbiased_cka": _kernel("unbiased CKA", "unbiased", batchable=True, minimum=-1.0),
    "rv": _kernel("RV coefficient", "linear", official=False),
    "rsa": _kernel("RSA", "ranks", ordinal=True, batchable=True, minimum=-1.0, official=False),
    "trsa_0_0.075": _trsa(0, 0.075),
    "trsa_0.2_0.8": _trsa(0.2, 0.8),
    "rtd_lite": Metric("RTD-Lite (share of shared tree)", "tree", is_global=True, most=MOST_IN_TREES),
    # Ten components: of fewer than twelve items they span all that there is, and every score is 1.
    "svcca": Metric("SVCCA", "subspace", is_global=True, fewest=12),
    "procrustes": Metric("Procrustes", "subspace", is_global=True, cheap_null=False, official=False),
}
METRICS = Catalogue(LISTED)


def check_metric(metric: str, k: int | None = None, mode: str = "robust") -> Metric:
    """The entry of METRICS; InputError for an unknown metric or mode, or a k that is missing or not needed."""
    if metric not in METRICS:
        raise InputError(
            f"unknown metric {metric!r}: use one of {', '.join(METRICS)}, or trsa_L_U, of a window 0 <= L < U <= 1"
        )
    if mode not in MODES:
        raise InputError(f"unknown mode {mode!r}: use 'robust' or 'reference'")
    spec = METRICS[metric]
    if spec.needs_k and k is None:
        raise InputError(f"{metric} needs k, the number of neighbours, as in {metric}@10")
    if not spec.needs_k and k is not None:
        raise InputError(f"{metric} takes no k, but k = {k} was given")
    if spec.family == "cknna" and k < 2:
        raise InputError(f"{metric} needs k of at least 2, not {k}")
    if mode == "reference" and not spec.official:
        raise InputError(f"{metric} is not in the official code: it has no reference mode")
    return spec


def parse_metric(name):
    """METRIC or METRIC@K, as in the configuration, as (metric, k); k is None where there is none."""
    metric, _, k = name.partition("@")
    if k and not (k.isascii() and k.isdigit()):
        raise InputError(f"metric {name!r}: after @ stands the number of neighbours, as in {metric}@10")
    return metric, int(k) if k else None


def metric_name(metric, k=None):
    """The inverse of `parse_metric`; a k that is missing in a table (NA, NaN) counts as none.

    >>> metric_name("mutual_knn", 10), metric_name("cka")
    ('mutual_knn@10', 'cka')
    """
    return f"{metric}@{int(k)}" if k is not None and k == k else metric
