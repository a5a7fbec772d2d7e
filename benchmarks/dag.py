"""How many jobs a run of many models has, and how long Snakemake takes to plan it (a dry run, the start included).

    python benchmarks/dag.py                 1,000 models, half language, half vision
    python benchmarks/dag.py --models 100
    python benchmarks/dag.py --models 29 --items 1000000 --items-per-shard 65536     a large data set of the hub, in shards

Each model is a copy of a row of config/models.tsv with a wheel of its own, which is the case of most jobs per model;
all language models have bits-per-byte. The metric is mutual k-NN, with its null. Nothing is downloaded or run.
"""

import argparse
import csv
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET_JOBS, TARGET_SECONDS = 5000, 30


def rows(table: str) -> list[dict]:
    """The rows of a table of config/."""
    with (ROOT / "config" / table).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write(path: Path, table: list[dict]) -> None:
    """Write a table with the columns of its first row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writeheader()
        writer.writerows(table)


def generate(folder: Path, count: int, items: int | None = None, shard: int | None = None) -> None:
    """Tables and a config with so many models; with `items` a data set of the hub of so many, in shards of `shard`."""
    models = {row["name"]: row for row in rows("models.tsv")}
    packages = rows("packages.tsv")
    made, wheels = [], []
    for i in range(count):
        copied = models["smollm2-135m" if i % 2 == 0 else "mobilenet-v2"]
        made.append({**copied, "name": f"model{i}", "label": f"Model {i}", "packages": f"wheel{i}"})
        wheels.append({**packages[0], "package": f"wheel{i}"})
    write(folder / "models.tsv", made)
    write(folder / "packages.tsv", packages + wheels)
    metrics = {"metrics": ["mutual_knn@10"]}
    config = {"datasets": ["openmoji_1024"], "models": [row["name"] for row in made], "alignment": metrics}
    config |= {"calibration": metrics, "figures": {"layer_pairs": []}, "tables": {}}
    config |= dict.fromkeys(("caption_density", "colour_geometry", "transfer", "alignment_over_n"))
    config["performance"] = {"likelihoods": None}
    if items:
        large = dict.fromkeys(rows("datasets.tsv")[0], "") | {
            "name": "large",
            "label": "Large",
            "source": "hub",
        }
        large |= {"repo": "org/large", "size": str(items), "licence": "none"}
        write(folder / "datasets.tsv", [large])
        config |= {"datasets": ["large"], "features": {"items_per_shard": shard}}
        config["tables"]["datasets"] = str(folder / "datasets.tsv")
    for table in ("models", "packages"):
        config["tables"][table] = str(folder / f"{table}.tsv")
    (folder / "config.yaml").write_text(json.dumps(config))


def plan(folder: Path) -> tuple[float, float, dict[str, int]]:
    """Seconds of a dry run, those of the processor, and its jobs by rule."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--configfile", folder / "config.yaml", "--dry-run", "--quiet", "rules"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    took = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    counts = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, used.ru_utime + used.ru_stime, {rule: int(jobs) for rule, jobs in counts if rule != "total"}


def main() -> None:
    """Generate, plan and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--items", type=int, help="of a data set of the hub (default: the 1,024 drawings)")
    parser.add_argument("--items-per-shard", type=int)
    given = parser.parse_args()
    count = given.models
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), count, given.items, given.items_per_shard)
        took, used, jobs = plan(Path(folder))
    for rule, number in jobs.items():
        print(f"{number:6,}  {rule}")
    print(
        f"{count:,} models: {sum(jobs.values()):,} jobs, planned in {took:.1f} s, {used:.1f} s of processor time "
        f"(for 1,000 models: at most {TARGET_JOBS:,} jobs, {TARGET_SECONDS} s)"
    )


if __name__ == "__main__":
    main()
