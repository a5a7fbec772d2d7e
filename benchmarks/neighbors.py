"""How long the exact neighbours of many samples take, by parts in jobs beside each other, and beside faiss, in one run.

    python benchmarks/neighbors.py                  100,000 samples, 20 layers of width 384, two processes of one thread each: minutes
    python benchmarks/neighbors.py --measured 2     two of the 20 layers, scaled: layers cost the same
    python benchmarks/neighbors.py --quick          small sizes, seconds

Each process does what a job of the rule `index_rows` does: it reads a layer of the feature file, clamps it, and compares its samples with
half of the others. Its peak memory is its own. faiss is used where it is installed (`pip install faiss-cpu`), on one thread, for some of
the rows: the flat index, which is exact, and an inverted file, which is not. Beside it stands the job of a part of as many: all of them
together find all neighbours. Recall is the share of neighbours, found in float64, that a way finds.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from prh.alignment.large import StoredLayers, candidates, join_candidates, prepared, write_candidates
from prh.alignment.neighbors import ranked_by, read_index, write_index
from prh.features.layers import write_features


def features(n: int, width: int, seed: int) -> torch.Tensor:
    """Noise about 64 common directions, float32 (n, width), with a mean, as layers have."""
    generator = torch.Generator().manual_seed(seed)
    noise = 4 * torch.randn(n, width, generator=generator)
    return noise + torch.randn(n, 64, generator=generator) @ torch.randn(64, width, generator=generator) + 1


def write(path: Path, sizes: argparse.Namespace) -> None:
    """The feature file."""
    layers = {f"layer_{i}": features(sizes.items, sizes.width, i) for i in range(sizes.measured)}
    write_features(path, layers, {"model": "noise", "revision": "none", "pairs": sizes.items})


def part(path: Path, out: Path, number: int, size: int, k: int) -> tuple[float, float, float]:
    """What the job of a part does: (seconds, seconds of the processor, peak GB)."""
    torch.set_num_threads(1)
    start, cpu = time.perf_counter(), time.process_time()
    layers = StoredLayers(path)
    found = [candidates(x, number, size, k) for x in prepared(layers, "exact", False)]
    facts = {"model": "noise", "layers": ",".join(layers.names), "n": layers.n, "part": number, "size": size}
    write_candidates(out, found, facts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return time.perf_counter() - start, time.process_time() - cpu, peak


def join(paths: list[Path], out: Path) -> tuple[float, float]:
    """The table of all parts: (seconds, peak GB)."""
    start = time.perf_counter()
    write_index(out, *join_candidates([str(path) for path in paths]))
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def alone(work, *arguments):
    """The result of a function in a process of its own, whose peak memory is then its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def beside_faiss(sizes: argparse.Namespace, path: Path, table: Path) -> list[str]:
    """Lines: ours, by which the table was made, and faiss on some rows of the first layer, one thread, seconds of the processor."""
    torch.set_num_threads(1)
    x = next(prepared(StoredLayers(path), "exact", False))
    rows, k = min(4096, sizes.items), sizes.k
    checked = min(256, rows)
    similar = x[:checked].double() @ x.double().T
    similar[torch.arange(checked), torch.arange(checked)] = -torch.inf
    exact = similar.topk(k, dim=1).indices.numpy()

    def recall(ids: np.ndarray) -> float:
        return float(np.mean([np.isin(a, b).mean() for a, b in zip(exact, ids[:checked], strict=True)]))

    def timed(work):
        start = time.process_time()
        return work(), time.process_time() - start

    _, once = timed(lambda: ranked_by(x))  # of the part's time, since each job does it
    _, took = timed(lambda: candidates(x, 0, rows, k))
    ours = took - once
    lines = [
        f"ours: {ours:.2f} s for a part of {rows:,} rows (and {once:.2f} s once for a layer), "
        f"recall of the table {recall(read_index(table)[0][0].numpy()):.5f}"
    ]
    try:
        import faiss
    except ImportError:
        return [*lines, "faiss is not installed"]
    faiss.omp_set_num_threads(1)
    values = x.numpy()
    flat = faiss.IndexFlatIP(sizes.width)
    flat.add(values)

    def search(index):
        ids, took = timed(lambda: index.search(values[:rows], k + 1)[1])
        own = np.arange(rows)[:, None]
        return np.stack(
            [row[row != i][:k] if (row != i).sum() >= k else row[:k] for row, i in zip(ids, own, strict=True)]
        ), took

    ids, other = search(flat)
    lines.append(
        f"faiss {faiss.__version__}, flat (exact): {other:.2f} s, recall {recall(ids):.5f}; ours takes {ours / other:.2f} of it"
    )
    cells = int(4 * sizes.items**0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(sizes.width), sizes.width, cells, faiss.METRIC_INNER_PRODUCT)
    _, built = timed(lambda: (index.train(values), index.add(values)))
    for probes in (cells // 64, cells // 8):
        index.nprobe = max(1, probes)
        ids, other = search(index)
        lines.append(
            f"faiss, {cells} cells, {index.nprobe} looked at (not exact): {other:.2f} s and {built:.1f} s once, recall {recall(ids):.5f}"
        )
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--layers", type=int, default=20)
    parser.add_argument("--measured", type=int, help="layers to measure; default: all")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rows", type=int, default=25_000, help="samples of a part")
    parser.add_argument("--processes", type=int, default=2)
    sizes = parser.parse_args()
    if sizes.quick:
        sizes.items, sizes.layers, sizes.width, sizes.rows = 3000, 2, 32, 800
    sizes.measured = sizes.measured or sizes.layers
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "features.safetensors")
        alone(write, path, sizes)
        outs = [Path(folder, f"{number}.safetensors") for number in range(-(-sizes.items // sizes.rows))]
        tasks = [(path, out, number, sizes.rows, sizes.k) for number, out in enumerate(outs)]
        begin = time.perf_counter()
        with multiprocessing.get_context("spawn").Pool(sizes.processes, maxtasksperchild=1) as pool:
            found = pool.starmap(part, tasks, chunksize=1)
        wall = time.perf_counter() - begin
        kept = sum(out.stat().st_size for out in outs) / 2**30
        table = Path(folder, "table.safetensors")
        joined, peak = alone(join, outs, table)
        beside = alone(beside_faiss, sizes, path, table)
    share = sizes.layers / sizes.measured
    cpu = sum(took for _, took, _ in found)
    print(
        f"{sizes.items:,} samples, {sizes.measured} of {sizes.layers} layers of width {sizes.width}, k = {sizes.k}"
    )
    print(
        f"{len(tasks)} jobs, {sizes.processes} beside each other: {wall / 60:.1f} min, scaled to all layers {wall * share / 60:.1f} min; "
        f"processor {cpu:.0f} s, scaled {cpu * share:.0f} s, that is {cpu * share / sizes.processes / 60:.1f} min of {sizes.processes} cores; "
        f"peak of a job {max(peak for *_, peak in found):.2f} GB; candidates of the measured layers {kept:.2f} GB; joined in {joined:.1f} s, {peak:.2f} GB"
    )
    for line in beside:
        print(line)


if __name__ == "__main__":
    if "MALLOC_MMAP_MAX_" not in os.environ:  # as rules/common.smk has it for jobs
        os.environ |= {
            "MALLOC_MMAP_MAX_": "0",
            "MALLOC_TRIM_THRESHOLD_": str(2**33),
            "OPENBLAS_NUM_THREADS": "1",
        }
        os.execv(sys.executable, [sys.executable, *sys.argv])
    main()
