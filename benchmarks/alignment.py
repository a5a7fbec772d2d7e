"""How fast the alignment engine is, beside a plain implementation of the official algorithm, in one run.

    python benchmarks/alignment.py            n = 1024, 33 layers of 4096 x 25 layers of 1024, k = 10
    python benchmarks/alignment.py --quick    small sizes, seconds

The baseline does what the official code does for each layer pair by itself: normalise both, multiply, sort every
row. Its pairs cost the same, so some are timed (`--pairs`) and their time is scaled to all; the table says how many.
Likewise the peer package (`calibrated-similarity`, one layer pair, few permutations) and the paper's grid
(`--grid-pairs` of its 204 model pairs). The features are independent noise: layers that share no neighbours are the
slowest case for the sparse tables. Writes out/alignment.csv and out/alignment.pdf beside this file.
"""

import argparse
import csv
import itertools
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from prh.alignment.align import align, measure
from prh.alignment.calibration import calibrate_states, null_maxima, permutations
from prh.alignment.catalogue import METRICS as CATALOGUE
from prh.alignment.catalogue import metric_name
from prh.alignment.metrics import layer_state, pair_scores, permuted_scores
from prh.alignment.neighbors import centre, index_layers, rank
from prh.alignment.preprocess import prepare, prepared
from prh.audit import definitions

HERE = Path(__file__).resolve().parent
METRICS = ("mutual_knn", "cka", "unbiased_cka", "cknna")
MINI = (
    (31, 31, 25, 7),
    (8, 8, 8, 8, 8, 12),
)  # layers of the mini run's language models, and of its vision models
# Ratios to reach, from the project's plan; at most that many times the bare products where it says so.
TARGETS = {"mutual_knn": 45, "cka": 40, "unbiased_cka": 40, "cknna": 40}


def baseline(metric: str, x: Tensor, y: Tensor, k: int) -> float:
    """The official algorithm for one layer pair, (n, d_x) and (n, d_y), not normalised."""
    x, y = normalize(x, dim=1), normalize(y, dim=1)
    if metric == "mutual_knn":
        a, b = _mask(_sorted_neighbors(x, k)), _mask(_sorted_neighbors(y, k))
        return float(((a * b).sum(dim=1) / k).mean())
    left, right = x @ x.T, y @ y.T
    if metric == "cknna":
        return _ratio(lambda p, q: _hsic_of_shared(p, q, k), left, right)
    return _ratio(_hsic if metric == "cka" else _unbiased_hsic, left, right)


def _sorted_neighbors(x: Tensor, k: int) -> Tensor:
    return (x @ x.T).fill_diagonal_(-1e8).argsort(dim=1, descending=True)[:, :k]


def _mask(ids: Tensor) -> Tensor:
    return torch.zeros(len(ids), len(ids)).scatter_(1, ids, 1.0)


def _ratio(alignment: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> float:
    return float(alignment(a, b) / (torch.sqrt(alignment(a, a) * alignment(b, b)) + 1e-6))


def _hsic(a: Tensor, b: Tensor) -> Tensor:
    centring = torch.eye(len(a)) - 1 / len(a)
    return torch.trace(a @ centring @ b @ centring)


def _unbiased_hsic(a: Tensor, b: Tensor) -> Tensor:
    n = len(a)
    a, b = a.clone().fill_diagonal_(0), b.clone().fill_diagonal_(0)
    cross = a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * (a @ b).sum() / (n - 2)
    return ((a * b.T).sum() + cross) / (n * (n - 3))


def _hsic_of_shared(a: Tensor, b: Tensor, k: int) -> Tensor:
    masks = [_mask(m.clone().fill_diagonal_(-torch.inf).topk(k, dim=1).indices) for m in (a, b)]
    shared = masks[0] * masks[1]
    return _unbiased_hsic(shared * a, shared * b)


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The shortest time of `repeats` runs; on one thread of the processor, which other work on the machine lengthens less."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def engine(metric: str, x: list[Tensor], y: list[Tensor], k: int) -> Tensor:
    """All layer pairs from raw features, as the workflow does it, without the clamp, which the baseline lacks."""
    if metric == "mutual_knn":
        sides = [index_layers(prepared(side, clamp=None), k) for side in (x, y)]
    else:
        sides = [prepare(side, clamp=None) for side in (x, y)]
    k = k if CATALOGUE[metric].needs_k else None
    return pair_scores(*(layer_state(metric, side, k) for side in sides))


def run(sizes: argparse.Namespace, threads: int) -> list[dict]:
    """All measurements at one number of threads, one row each."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    x = [torch.randn(sizes.n, sizes.widths[0], generator=generator) for _ in range(sizes.layers[0])]
    y = [torch.randn(sizes.n, sizes.widths[1], generator=generator) for _ in range(sizes.layers[1])]
    pairs, rows = len(x) * len(y), []
    products = seconds(lambda: [layer @ layer.T for layer in x + y])

    def row(work: str, ours: float, other: float, target: float, note: str = "") -> None:
        rows.append(
            {
                "threads": threads,
                "work": work,
                "baseline_s": other,
                "ours_s": ours,
                "ratio": other / ours,
                "target_ratio": target,
                "products_s": products,
                "ours_to_products": ours / products,
                "note": note,
            }
        )

    slow = {}
    for metric in METRICS:
        chosen = [(x[i % len(x)], y[i % len(y)]) for i in range(sizes.pairs)]
        one = seconds(lambda m=metric, c=chosen: [baseline(m, a, b, sizes.k) for a, b in c], 1) / sizes.pairs
        slow[metric] = one * pairs
        ours = seconds(lambda m=metric: engine(m, x, y, sizes.k), 2)
        row(
            f"{metric}, from features",
            ours,
            slow[metric],
            TARGETS[metric],
            f"{sizes.pairs} of {pairs} pairs timed",
        )
    tables = [index_layers(prepared(side, clamp=None), sizes.k) for side in (x, y)]

    def counted() -> Tensor:
        return pair_scores(*(layer_state("mutual_knn", ids, sizes.k) for ids in tables))

    row("mutual_knn, from cached neighbours", seconds(counted, 5), slow["mutual_knn"], 4000)
    states = [layer_state("mutual_knn", ids, sizes.k) for ids in tables]
    ours = seconds(lambda: calibrate_states(*states, count=sizes.permutations), 1)
    name = f"mutual_knn, null of all pairs, K = {sizes.permutations}"
    row(name, ours, peer_seconds(x[0], y[0], sizes) * pairs, 4000, "peer: one pair, few permutations, scaled")
    states = [layer_state("cka", prepare(side, clamp=None)) for side in (x, y)]
    ours = seconds(lambda: calibrate_states(*states, count=sizes.permutations), 1)
    left, right = (centre(normalize(side[0], dim=1)) for side in (x, y))
    left, right, order = left @ left.T, right @ right.T, torch.randperm(sizes.n, generator=generator)
    plain = seconds(lambda: [(left * right[order][:, order]).sum() for _ in range(10)], 2) / 10
    row(
        f"cka, null of all pairs, K = {sizes.permutations}",
        ours,
        plain * pairs * sizes.permutations,
        60,
        "baseline: one pair, ten permutations, scaled",
    )
    return rows


def trees(sizes: argparse.Namespace) -> dict:
    """RTD-Lite of one layer pair under permutations: by trees once found, and by a tree of all distances for each, one thread.

    The baseline is what the definition says, and the official code does: min(A, B) over all pairs, and its tree.
    """
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(sizes.n, width, generator=generator) for width in (384, 256))
    states = [layer_state("rtd_lite", [side]) for side in (x, y)]
    orders = permutations(sizes.n, sizes.permutations, 0)
    ours = seconds(lambda: permuted_scores(*states, orders), 3)
    a, b = (definitions.scaled(np.sqrt(definitions.distances(side.double().numpy()))) for side in (x, y))

    def plain(order: np.ndarray) -> float:
        return definitions.tree_weight(np.minimum(a, b[np.ix_(order, order)]))

    mean = (definitions.tree_weight(a) + definitions.tree_weight(b)) / 2
    found, expected = (
        permuted_scores(*states, orders[:3])[:, 0, 0],
        [plain(o) / mean for o in orders[:3].numpy()],
    )
    if not np.allclose(found, expected, atol=1e-6):
        raise SystemExit(f"rtd_lite is {found}, by its definition {expected}")
    one = seconds(lambda: [plain(order) for order in orders[:3].numpy()], 1) / 3
    nan = float("nan")
    return {
        "threads": 1,
        "work": f"rtd_lite, one layer pair, K = {sizes.permutations}",
        "baseline_s": one * sizes.permutations,
        "ours_s": ours,
        "ratio": one * sizes.permutations / ours,
        "note": "3 permutations of the baseline timed",
        **dict.fromkeys(("target_ratio", "products_s", "ours_to_products"), nan),
    }


def nulls_of_the_mini_run(sizes: argparse.Namespace) -> dict:
    """Seconds of the processor for all nulls that the mini run calibrates, on noise of its layers' number and widths, one thread."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(sizes.n, 64, generator=generator)

    def model(layers: int) -> list[Tensor]:
        noise = (torch.randn(sizes.n, 256, generator=generator) for _ in range(layers))
        return prepare(
            [common @ torch.randn(64, 256, generator=generator) + 4 * each for each in noise], clamp=None
        )

    sides = [[model(layers) for layers in side] for side in MINI]
    together = [list(itertools.chain(*side)) for side in sides]
    tables = [index_layers(layers, 100) for layers in together]
    orders, took = permutations(sizes.n, sizes.permutations, 0), 0.0
    work = [("mutual_knn", k, [tables]) for k in (10, 20, 50, 100)]
    work += [(metric, None, [together]) for metric in ("cka", "cka_rbf_1", "unbiased_cka")]
    ranked = [[[rank(layer, 10) for layer in layers] for layers in side] for side in sides]
    work += [("cknna", 10, itertools.product(*ranked))]
    for metric, k, pairs in work:
        for pair in pairs:
            begin = time.process_time()
            null_maxima(*(layer_state(metric, side, k) for side in pair), orders)
            took += time.process_time() - begin
    nan = float("nan")
    names = ("baseline_s", "ratio", "target_ratio", "products_s", "ours_to_products")
    return {
        "threads": 1,
        "work": f"all nulls of the mini run, K = {sizes.permutations}",
        "ours_s": took,
        "note": "target 120 s",
        **dict.fromkeys(names, nan),
    }


def peer_seconds(x: Tensor, y: Tensor, sizes: argparse.Namespace) -> float:
    """What K permutations of one layer pair take with the package `calibrated-similarity`; nan if not installed."""
    try:
        from calibrated_similarity import calibrate as peer
    except ImportError:
        return float("nan")
    count = 2
    took = seconds(lambda: peer(x, y, lambda a, b: baseline("mutual_knn", a, b, sizes.k), K=count), 1)
    return took * (sizes.permutations + 1) / (count + 1)


def _grid_share(n: int, k: int, pairs: int) -> tuple[float, float]:
    """Seconds that one process of one thread takes for `pairs` model pairs of the paper's grid, K = 500; its peak GB."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)

    def table(layers: int) -> Tensor:
        noise = (torch.rand(n, n, generator=generator) for _ in range(layers))
        return torch.stack([m.topk(k, dim=1).indices.int() for m in noise])

    x, y = (layer_state("mutual_knn", table(layers), k) for layers in (38, 21))
    took = seconds(lambda: [calibrate_states(x, y, count=500, seed=i) for i in range(pairs)], 1)
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def grid(sizes: argparse.Namespace, processes: int) -> dict:
    """The paper's 12 x 17 models of 38 x 21 layers from cached neighbours, one process per core as the workflow's tiles."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        shares = pool.starmap(_grid_share, [(sizes.n, sizes.k, sizes.grid_pairs)] * processes)
    took = max(share for share, _ in shares) * 204 / (sizes.grid_pairs * processes)
    note = f"{processes} processes, {sizes.grid_pairs} of 204 model pairs timed in each, scaled; together"
    note += f" {sum(peak for _, peak in shares):.1f} GB; targets 600 s and 4 GB on 2 cores"
    nan = float("nan")
    names = ("baseline_s", "ratio", "target_ratio", "products_s", "ours_to_products")
    return {
        "threads": processes,
        "work": "mutual_knn, paper grid (204 model pairs), K = 500",
        "ours_s": took,
        "note": note,
        **dict.fromkeys(names, nan),
    }


def large(threads: int, n: int = 100_000) -> dict:
    """Mutual k-NN of one pair of layers of very many samples, from raw features: time and peak memory."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(n, 64, generator=generator)
    x, y = (
        common @ torch.randn(64, d, generator=generator) + 4 * torch.randn(n, d, generator=generator)
        for d in (384, 256)
    )
    took = seconds(lambda: align([x], [y.half()]), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    nan = float("nan")
    names = ("baseline_s", "ratio", "target_ratio", "products_s", "ours_to_products")
    return {
        "threads": threads,
        "work": f"mutual_knn, n = {n:,}, widths 384 and 256",
        "ours_s": took,
        "note": f"with the clamp; {peak:.1f} GB",
        **dict.fromkeys(names, nan),
    }


def blocks(metric: str, n: int) -> dict:
    """A metric of one layer pair, of more samples than n x n matrices are held of, one thread: time, memory and error."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(n, 64, generator=generator)
    x, y = (
        prepare(
            [common @ torch.randn(64, d, generator=generator) + 4 * torch.randn(n, d, generator=generator)]
        )
        for d in (384, 256)
    )
    start, states = time.process_time(), [layer_state(metric, side) for side in (x, y)]
    first, start = time.process_time() - start, time.process_time()
    score = float(pair_scores(*states))
    took = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    errors = [float(state.data.errors[0]) for state in states if hasattr(state.data, "errors")]
    names = ("baseline_s", "ratio", "target_ratio", "products_s", "ours_to_products")
    return {
        "threads": 1,
        "work": f"{metric}, n = {n:,}, widths 384 and 256",
        "ours_s": first + took,
        "note": f"{first / 2:.0f} s for each layer and {took:.2f} s for the pair, of the processor; {peak:.1f} GB; score {score:.6f}"
        + (f", off by at most {sum(errors):.1e} from bins" if any(errors) else ""),
        **dict.fromkeys(names, float("nan")),
    }


def check(k: int) -> None:
    """Raise unless the baseline gives the official outputs and the engine the baseline's."""
    import json

    official = np.load(HERE.parent / "tests" / "data" / "official_metrics.npz")
    outputs = json.loads(str(official["outputs"]))
    for case, expected in outputs.items():
        x, y = (torch.from_numpy(official[side + case]) for side in "xy")
        for metric in METRICS:
            needs_k = CATALOGUE[metric].needs_k
            value = expected[f"{metric}@{k}" if needs_k else metric]
            name = metric_name(metric, k if needs_k else None)
            ours = measure(x, y, name, clamp=None, mode="reference")
            for whose, got in (("baseline", baseline(metric, x, y, k)), ("engine", ours)):
                if abs(got - value) > 1e-6:
                    raise SystemExit(f"{whose}: {metric} of case {case} is {got}, officially {value}")


def draw(rows: list[dict], path: Path) -> None:
    """Ratios and targets as bars, one colour per number of threads."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in rows if row["ratio"] == row["ratio"]]
    figure, axes = pyplot.subplots(figsize=(8, 0.35 * len(rows) + 1.2), layout="constrained")
    colours = {t: f"C{i}" for i, t in enumerate(dict.fromkeys(row["threads"] for row in rows))}
    names = [f"{row['work']} ({row['threads']} thr.)" for row in rows]
    axes.barh(names, [row["ratio"] for row in rows], color=[colours[row["threads"]] for row in rows])
    axes.plot([row["target_ratio"] for row in rows], names, "k|", markersize=12, label="target")
    axes.set(xscale="log", xlabel="times faster than the baseline")
    axes.invert_yaxis()
    axes.legend()
    figure.savefig(path)


def main() -> None:
    """Measure, print, write the table and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--large", action="store_true", help="100,000 samples, too: minutes")
    parser.add_argument("--pairs", type=int, default=4, help="layer pairs of the baseline to time")
    parser.add_argument("--grid-pairs", type=int, default=1, help="model pairs of the paper's grid to time")
    parser.add_argument("--threads", type=int, nargs="+", help="default: 1 and all cores")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder of the table and the figure")
    sizes = parser.parse_args()
    sizes.n, sizes.layers, sizes.widths, sizes.k, sizes.permutations = 1024, (33, 25), (4096, 1024), 10, 200
    if sizes.quick:
        sizes.n, sizes.layers, sizes.widths, sizes.permutations = 128, (3, 2), (64, 32), 20
    cores = torch.get_num_threads()
    check(10)
    rows = []
    for threads in sizes.threads or sorted({1, cores}):
        os.environ["OPENBLAS_NUM_THREADS"] = str(threads)  # of NumPy and SciPy, in the processes that follow
        # A process of its own: one that has computed with one thread is slow with more.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows += pool.apply(run, (sizes, threads))
        if not sizes.quick:
            rows.append(grid(sizes, threads))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rows.append(pool.apply(trees, (sizes,)))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rows.append(pool.apply(nulls_of_the_mini_run, (sizes,)))
    if sizes.large:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(large, (cores,)))
        for most in (("rsa", 50_000), ("cka_rbf_1", 50_000), ("rtd_lite", 20_000)):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(blocks, most))
    for row in rows:
        print(
            f"{row['threads']} thr.  {row['work']:<52} ours {row['ours_s']:9.4f} s  baseline {row['baseline_s']:10.1f} s"
            f"  ratio {row['ratio']:8.0f} (target {row['target_ratio']:.0f})"
            f"  {row['ours_to_products']:6.3f} x products  {row['note']}"
        )
    sizes.out.mkdir(parents=True, exist_ok=True)
    with (sizes.out / "alignment.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, sizes.out / "alignment.pdf")


if __name__ == "__main__":
    if (
        "MALLOC_MMAP_MAX_" not in os.environ
    ):  # both sides get the allocator that rules/common.smk gives to jobs
        os.environ |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**33)}
        os.execv(sys.executable, [sys.executable, *sys.argv])
    main()
