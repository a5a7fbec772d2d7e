"""What features in shards cost beside the whole, float16 beside float32, and by these rates a million pairs, as a plan.

    python benchmarks/shards.py RUN              RUN: a folder with a run of the default configuration, or of the models below
    python benchmarks/shards.py RUN --models minilm-l6 efficientnet-lite0 --shard 256

Both sides are jobs as the rules run them, each a process of its own with one thread: started, model loaded, features extracted
and written, inputs digested. Counted are seconds of the processor, start included, so that other work on the machine counts little.
Rates are those of 1,024 drawings and their captions. The million is arithmetic, and nothing of it is run.
"""

import argparse
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import torch
from pyarrow import parquet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from prh.alignment.align import align
from prh.features.adapters import module_of
from prh.features.layers import check_layers, describe, read_features, write_features
from prh.features.shards import merge
from prh.provenance import digest, part_digest, read_manifest, read_record, record_path
from prh.sources.datasets import Part, read_captions
from prh.sources.hub_pairs import make_from_parquet

MILLION, LARGE_SHARD = 1_000_000, 65_536
ROWS, WIDTH, LAYERS = 32_768, 384, 7  # of two made-up shards, whose merging is measured


def extract(run: Path, data: str, model: str, begin: int, end: int, target: str) -> None:
    """One job, in this process, as scripts/extract_features.py has it."""
    torch.set_num_threads(1)
    params = read_record(run / record_path(f"results/features/{data}/{model}.safetensors"))["parameters"]
    dataset, folder = run / f"results/data/{data}", run / f"results/models/{model}"
    row, part = SimpleNamespace(**params["row"]), Part(dataset, begin, end)
    machine = SimpleNamespace(device="cpu", threads=1, gpus=0, weights=params["weights"])
    adapter = import_module(module_of(row))
    layers, facts = adapter.features(row, folder, part, params["settings"], machine)
    check_layers(layers, params["row"])
    write_features(target, layers, describe(params["row"], folder, dataset, begin) | facts)
    digest(folder)
    part_digest(dataset, ["captions.parquet", *read_captions(part).image])


def used(*command) -> float:
    """Processor seconds of a process of this script."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, __file__, *map(str, command)], check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(run: Path, data: str, model: str, shard: int, scratch: Path) -> dict:
    """Processor seconds of a model: of the whole, of all shards, to start, per item; bytes per item."""
    n = read_manifest(run / f"results/data/{data}")["pairs"]
    start = used("--extract", run, data, model, 0, 4, scratch / "few")
    whole = used("--extract", run, data, model, 0, n, scratch / "whole")
    ends = [(begin, min(begin + shard, n)) for begin in range(0, n, shard)]
    paths = [scratch / f"{model}-{begin}" for begin, _ in ends]
    shards = sum(used("--extract", run, data, model, *e, p) for e, p in zip(ends, paths, strict=True))
    merge(paths, scratch / "merged")
    kept, again = (read_features(path)[0] for path in (scratch / "whole", scratch / "merged"))
    apart = max(float((a - b).norm() / a.norm()) for a, b in zip(kept, again, strict=True))
    size = sum(layer.shape[1] for layer in kept) * 4
    rate = (whole - start) / (n - 4)
    return {"n": n, "whole": whole, "shards": shards, "count": len(ends), "start": start, "item": rate} | {
        "apart": apart, "bytes": size
    }  # fmt: skip


def taking(run: Path, data: str, scratch: Path) -> tuple[float, float, float]:
    """Processor seconds per pair of taking a data set out of a Parquet file, and of digesting it; its bytes per pair."""
    folder = run / f"results/data/{data}"
    table = read_captions(folder)
    images = [{"bytes": (folder / image).read_bytes()} for image in table.image]
    parquet.write_table(pa.table({"image": images, "text": table.caption.tolist()}), scratch / "p.parquet")
    began = time.process_time()
    make_from_parquet([scratch / "p.parquet"], None, None, scratch / "data", "none")
    taken = time.process_time() - began
    began = time.process_time()
    digest(scratch / "data")
    size = sum(path.stat().st_size for path in (scratch / "data").rglob("*"))
    return taken / len(table), (time.process_time() - began) / len(table), size / len(table)


def merging(scratch: Path) -> tuple[float, float, float, int]:
    """Gigabytes of two made-up shards, seconds to merge them and to copy as much, and the peak memory of merging, MB."""
    paths = [scratch / f"made-{i}" for i in range(2)]
    for number, path in enumerate(paths):
        layers = {f"block{i}": torch.randn(ROWS, WIDTH) for i in range(LAYERS)}
        write_features(path, layers, {"pairs": 2 * ROWS, "begin": number * ROWS})
    del layers
    code = f"import resource, sys; sys.path.insert(0, {str(Path(__file__).parents[1] / 'scripts')!r})\n"
    code += "from prh.features.shards import merge; import time\n"
    code += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; began = time.process_time()\n"
    code += f"merge({[str(path) for path in paths]!r}, {str(scratch / 'one')!r})\n"
    code += "print(time.process_time() - began, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    began = time.process_time()
    for path in paths:
        with path.open("rb") as source, (scratch / "copy").open("ab") as target:
            shutil.copyfileobj(source, target, 2**24)
    return (
        (scratch / "one").stat().st_size / 1e9,
        float(said.split()[0]),
        time.process_time() - began,
        int(said.split()[1]),
    )


def rounding(run: Path, data: str, models: list[str]) -> None:
    """What float16 does to the scores of the first two models."""
    layers = [read_features(run / f"results/features/{data}/{model}.safetensors")[0] for model in models[:2]]
    halves = [[values.half().float() for values in side] for side in layers]
    print(f"\n{' and '.join(models[:2])}: features as float32 beside float16, all layer pairs")
    for metric in ("mutual_knn@10", "mutual_knn@100", "cka", "cknna@10"):
        full, half = align(*layers, metric), align(*halves, metric)
        off = abs(full.scores - half.scores).max()
        print(f"{metric:15} best {full.score:.6f} and {half.score:.6f}; a score differs by {off:.1e} at most")


def main() -> None:
    """Measure, and print what a million pairs would take."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--data", default="openmoji_1024")
    parser.add_argument("--models", nargs="+", default=["minilm-l6", "efficientnet-lite0"])
    parser.add_argument("--shard", type=int, default=256, help="items of a shard")
    parser.add_argument("--extract", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.extract:
        run, data, model, begin, end, target = given.extract
        return extract(Path(run), data, model, int(begin), int(end), target)
    with tempfile.TemporaryDirectory() as scratch:
        scratch, found = Path(scratch), {}
        for model in given.models:
            found[model] = measure(given.run, given.data, model, given.shard, scratch)
            row = found[model]
            print(
                f"{model}: whole {row['whole']:.1f} s, {row['count']} shards {row['shards']:.1f} s, ratio "
                f"{row['shards'] / row['whole']:.2f}; {row['start']:.1f} s to start, {1000 * row['item']:.2f} ms per item; "
                f"merged it differs from the whole by {row['apart']:.0e} of a layer's norm"
            )
        taken, digested, kept = taking(given.run, given.data, scratch)
        print(
            f"data set: {1000 * taken:.2f} ms per pair out of Parquet, {1000 * digested:.3f} ms to digest, {kept / 1000:.1f} kB"
        )
        size, merged, copied, memory = merging(scratch)
        print(
            f"merging {size:.2f} GB: {merged:.2f} s, copying as much {copied:.2f} s, ratio {merged / copied:.2f}; "
            f"memory grows by {memory} MB"
        )
    rounding(given.run, given.data, given.models)
    jobs = math.ceil(MILLION / LARGE_SHARD)
    print(
        f"\nA plan, not run: {MILLION:,} pairs in {jobs} shards of {LARGE_SHARD:,} at these rates, one thread"
    )
    print("| model | hours, all shards | hours of a shard | GB, float32 | GB, float16 | hours, merging |")
    print("|---|---|---|---|---|---|")
    print(
        f"| (data set) | {MILLION * taken / 3600:.2f} | | {MILLION * kept / 1e9:.1f}, and the Parquet files | | |"
    )
    for model, row in found.items():
        each = (row["start"] + LARGE_SHARD * row["item"]) / 3600
        disk = MILLION * row["bytes"] / 1e9
        hours = (jobs * row["start"] + MILLION * row["item"]) / 3600
        print(
            f"| {model} | {hours:.2f} | {each:.2f} | {disk:.1f} | {disk / 2:.1f} | {disk * merged / size / 3600:.3f} |"
        )


if __name__ == "__main__":
    main()
