"""Bad artifacts: what lies in results/ and is not what a later rule, the audit or the crate can take."""

import hashlib
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file

from helpers.jobs import DAMAGES, Job, Row, command, damage, halved, put
from helpers.project import ROOT
from prh import tables
from prh.alignment.best import alignment_table
from prh.alignment.large import write_candidates
from prh.alignment.neighbors import write_index
from prh.features.layers import write_features
from prh.provenance import digest, record_path, seal, write_json

# Features, neighbours, scores, tables.

FEATURES, NEIGHBOURS = "results/features/d/{}.safetensors", "results/neighbors/d/{}.safetensors"
PREPARATION = {"clamp": "exact", "concatenate": False, "device": "cpu"}
INDEX = Job(
    "index_neighbors",
    output={"neighbors": NEIGHBOURS.format("a")},
    input={"features": FEATURES.format("a")},
    k_max=2,
    **PREPARATION,
)
PART = "results/neighbor_candidates/d/a/0.safetensors"
ROWS = Job("index_rows", {"candidates": PART}, INDEX.input, k_max=2, part=1, size=4, **PREPARATION)
JOIN = Job("join_neighbors", INDEX.output, {**INDEX.input, "candidates": [PART]}, k_max=2, **PREPARATION)
TILE = "results/alignment/d/cka/0-0.parquet"


def measure(metric, k, place):
    return Job(
        "measure_alignment",
        output={"scores": f"results/alignment/d/{metric}/0-0.parquet"},
        input={"models": [place.format("a"), place.format("b")]},
        wildcards={"dataset": "d"},
        metrics={metric: [k]}, models=["a", "b"], pairs=[["a", "b"]], **PREPARATION,
    )  # fmt: skip


CKA, KNN = measure("cka", None, FEATURES), measure("mutual_knn", 2, NEIGHBOURS)
CALIBRATE = Job(
    "calibrate_alignment",
    output={"scores": "results/calibration/d/mutual_knn/0-0.parquet"},
    input=KNN.input,
    wildcards=KNN.wildcards,
    metric="mutual_knn", k=[2], models=["a", "b"], pairs=[["a", "b"]], **PREPARATION, permutations=19, alpha=0.05, seed=0, resamples=10, confidence=0.95,
)  # fmt: skip


LABELS = "results/labels/d.parquet"
PROBE = Job(
    "probe_tasks",
    output={"predictions": "results/probes/d.parquet"},
    input={"labels": LABELS, "features": [FEATURES.format("a")]},
    models=["a"],
    shared=False,
    fewest=2,
    folds=2,
    penalties=[1],
    seed=0,
    device="cpu",
)


def labels_of(*labels):
    """The labels of eight images."""

    def step():
        Path(LABELS).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"id": range(8), "t": labels}).to_parquet(LABELS, index=False)

    return step


def tasks():
    # fmt: off
    two = labels_of(*"xxxxyyyy")
    yield Row("task-one-class", [features_of("a"), labels_of(*"xxxxxxxy")], PROBE, (f"{LABELS}: task `t`: 1 classes have 2 items or more, two are needed",))
    yield Row("task-nan", [features_of("a", change=set_row(float("nan"))), two], PROBE, (FEATURES.format("a"), "NaN"))
    for change in DAMAGES[:3]:
        yield Row(f"task-labels-{change.__name__}", [features_of("a"), two, damage(LABELS, change)], PROBE, (f"{LABELS}: ",))


def features_of(name, n=8, change=lambda x: x, layers=2):
    """A feature file of n items."""

    def step():
        path = Path(FEATURES.format(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        made = torch.Generator().manual_seed(len(name))
        found = {f"block{i}": change(torch.randn(n, 4 + i, generator=made)) for i in range(layers)}
        write_features(path, found, {"model": name, "pairs": n})

    return step


SHARDS = [f"results/shards/d/a/0000{i}.safetensors" for i in range(2)]
MERGE = Job("merge_features", output={"features": FEATURES.format("a")}, input={"shards": SHARDS})


def shards_of(name="a", begins=(0, 4)):
    """Two shards of four items of eight, the second one of a model of this name."""

    def step():
        for path, begin in zip(SHARDS, begins, strict=True):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            metadata = {"model": "a" if begin == 0 else name, "pairs": 8, "begin": begin}
            write_features(path, {"block0": torch.ones(4, 50)}, metadata)

    return step


def neighbours_of(name, ids=None, n=8):
    """A neighbour file of n items."""

    def step():
        path = Path(NEIGHBOURS.format(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        rolled = torch.stack([torch.arange(n).roll(i) for i in (1, 2)], dim=1).view(1, n, 2).to(torch.int32)
        write_index(path, rolled if ids is None else ids, {"model": name, "layers": "x"})

    return step


def part_of_neighbours():
    """A file of the candidates of the first four of eight items, and of the others among these."""
    Path(PART).parent.mkdir(parents=True, exist_ok=True)
    ids = torch.stack([torch.arange(8).roll(i) for i in (1, 2)], dim=1)[:4]
    facts = {"model": "a", "layers": "x", "n": 8, "part": 0, "size": 4}
    write_candidates(PART, [{0: ids, 1: ids}], facts)


def set_row(value):
    def change(x):
        x[3] = value
        return x

    return change


def caches():
    # fmt: off
    one, ids = FEATURES.format("a"), NEIGHBOURS.format("a")
    read = (f"{one}: cannot be read as a prh-features 1 file", "remove it to have it made again")
    for change in DAMAGES:
        yield Row(f"features-{change.__name__}", [features_of("a"), damage(one, change)], INDEX, read)
        yield Row(f"features-{change.__name__}-in-a-tile", [features_of("a"), features_of("b"), damage(one, change)], CKA, read)
        says = (f"{ids}: cannot be read as a prh-neighbors 1 file", "remove it to have it made again")
        both = [neighbours_of("a"), neighbours_of("b")]
        yield Row(f"neighbours-{change.__name__}", [*both, damage(ids, change)], KNN, says)
        yield Row(f"neighbours-{change.__name__}-in-a-null", [*both, damage(ids, change)], CALIBRATE, says)
    for change in DAMAGES:
        yield Row(f"shard-{change.__name__}", [shards_of(), damage(SHARDS[1], change)], MERGE, (f"{SHARDS[1]}: cannot be read as a prh-features 1 file", "remove it to have it made again"))
    yield Row("shard-of-another-model", [shards_of("b")], MERGE, (f"{SHARDS[1]}: is not of the same model, data set or layers as {SHARDS[0]}",))
    yield Row("shard-of-other-items", [shards_of(begins=(0, 5))], MERGE, (f"{SHARDS[1]}: begins with item 5, not 4; remove it to have it made again",))
    yield Row("shard-swapped", [shards_of(), features_of("a"), lambda: shutil.copy(one, SHARDS[0])], MERGE, (f"{SHARDS[0]}: not a shard of features; remove it to have it made again",))
    swap = [features_of("a"), neighbours_of("a"), neighbours_of("b"), features_of("b")]
    yield Row("features-swapped", [*swap, lambda: shutil.copy(ids, one)], INDEX, (f"{one}: not a prh-features 1 file (its format: prh-neighbors 1)",))
    yield Row("neighbours-swapped", [*swap, lambda: shutil.copy(one, ids)], KNN, (f"{ids}: not a prh-neighbors 1 file (its format: prh-features 1)",))
    yield Row("features-foreign", [features_of("a"), lambda: save_file({"a": torch.ones(2)}, one)], INDEX, (f"{one}: not a prh-features 1 file (its format: none)",))
    yield Row("features-nan", [features_of("a", change=set_row(float("nan")))], INDEX, (one, "layer 0, row 3: NaN or infinity"))
    yield Row("features-zero", [features_of("a", change=set_row(0))], INDEX, (one, "layer 0, row 3: all features are zero"))
    yield Row("features-alike", [features_of("a", change=torch.ones_like)], INDEX, (one, "layer 0: constant features"))
    yield Row("features-of-few-items", [features_of("a", n=3)], INDEX, (one, "3 samples are too few for k = 2"))
    yield Row("features-nan-in-a-tile", [features_of("a"), features_of("b", change=set_row(float("nan")))], CKA, (FEATURES.format("b"), "layer 0, row 3: NaN"))
    both = [features_of("a"), features_of("b")]
    yield Row("features-of-few-items-over-n", both, MEASURE_OVER_N.but(sizes=[8]), (one, "key `alignment_over_n.sizes`: 8 of 8 items"))
    yield Row("features-of-few-items-in-a-part", both, MEASURE_OVER_N.but(sizes=[3]), (one, "3 samples are too few for k = 2"))
    yield Row("features-of-other-items-over-n", [features_of("a"), features_of("b", n=9)], MEASURE_OVER_N, (FEATURES.format("b"), "9 items, the models before have 8"))
    yield Row("features-of-other-items", [features_of("a"), features_of("b", n=9)], CKA, ("a.safetensors and ", "b.safetensors: n differs: 8 and 9"))
    for name, table in [
        ("too-high", torch.full((1, 8, 1), 8, dtype=torch.int32)),
        ("negative", torch.full((1, 8, 1), -1, dtype=torch.int32)),
    ]:
        yield Row(f"neighbours-{name}", [neighbours_of("a", table), neighbours_of("b")], KNN, (f"{ids}: neighbour ids outside 0 ... 7",))
    flat = torch.zeros((8, 1), dtype=torch.int32)
    yield Row("neighbours-of-another-shape", [neighbours_of("a", flat), neighbours_of("b")], KNN, (f"{ids}: neighbours must be (layers, n, k)",))
    yield Row("features-of-fewer-rows", [features_of("a", n=4)], ROWS, (one, "4 samples have no part 1 of 4 each; make the features anew"))
    yield Row("neighbours-of-some-rows", [part_of_neighbours], JOIN, (f"{PART}: part 1, which follows, is missing; make it anew",))
    yield Row("neighbours-of-rows-halved", [part_of_neighbours, damage(PART, halved)], JOIN, (PART, "cannot be read as a prh-neighbor-candidates 1 file"))
    yield Row("neighbours-of-other-items", [neighbours_of("a"), neighbours_of("b", n=9)], KNN, ("a.safetensors and ", "b.safetensors: n differs: 8 and 9"))
    yield Row("neighbours-too-few", [neighbours_of("a"), neighbours_of("b")], KNN.but(metrics={"mutual_knn": [3]}), (ids, "3"))


# Scores and tables.

TABULATE = Job(
    "tabulate_alignment",
    output={"table": "results/tables/alignment.csv"},
    input={"tiles": [TILE], "calibrated": ["results/calibration/d/cka/0-0.parquet"]},
    modality={"a": "language", "v": "vision", "w": "vision"},
)
CALIBRATED = TABULATE.input["calibrated"][0]
SCORES = Job(
    "tabulate_performance",
    output={"table": "results/tables/performance.csv"},
    input={"scores": ["results/performance/text/a.json", "results/performance/text/b.json"]},
)
ONE_SCORE = SCORES.input["scores"][0]
DOWNSTREAM = Job(
    "tabulate_downstream",
    output={"table": "results/tables/downstream.csv"},
    input={
        "captions": ["results/captions/d/a.json"],
        "downstream": ["results/downstream/a.json"],
        "published": ["published.tsv"],
    },
    models=["a", "b"],
)
MEANS = Job(
    "plot_published_by_metric",
    output={ending: f"figures/published_by_metric.{ending}" for ending in ("pdf", "png", "csv")},
    input={"reference": "published.tsv"},
    caption="a test",
)
NUMBERS = "quantity\tmodel_x\tmodel_y\tmetric\tvalue\tsource\nmean null\tset:a\tset:b\tcka\t0.1\ta paper\n"
MATRIX = Job(
    "plot_alignment_matrix",
    output={ending: f"figures/alignment_matrix.{ending}" for ending in ("pdf", "png", "csv")},
    input={"alignment": "results/tables/alignment.csv"},
    models={name: {"label": name, "modality": "vision", "init": "pretrained", "family": "f"} for name in "avw"},
    dataset="d", metric="cka", caption="a test",
)  # fmt: skip
MEASURE_OVER_N = Job(
    "measure_over_n",
    output={"table": "results/tables/alignment_over_n.csv"},
    input={"features": CKA.input["models"]},
    dataset=["d"], models=["a", "b"], pairs=[["a", "b"]], sizes=[6], draws=2, k=2, share=0.2,
    null={"permutations": 19, "alpha": 0.05, "seed": 0, "resamples": 10, "confidence": 0.95},
    **PREPARATION,
)  # fmt: skip
OVER_N = Job(
    "plot_alignment_over_n",
    output={ending: f"figures/alignment_over_n.{ending}" for ending in ("pdf", "png", "csv")},
    input={"table": MEASURE_OVER_N.output["table"], "published": ["published.tsv"]},
    models={name: {"label": name} for name in "ab"},
    k=2, share=0.2, caption="a test",
)  # fmt: skip
CORRELATE = Job(
    "correlate",
    output={"table": "results/tables/correlation.csv"},
    input={"alignment": "results/tables/alignment.csv", "performance": "results/tables/performance.csv"},
    datasets=["d"], resamples=10, confidence=0.95, seed=0,
)  # fmt: skip
STORY = Job(
    "make_story",
    output={"notebook": "results/report/story.ipynb", "page": "results/report/story.html"},
    input={"notebook": str(ROOT / "notebooks" / "story.ipynb")},
    title="a test", dataset="d", data="pictures", text="a text", metric="cka", models=MATRIX.params["models"], figures={},
)  # fmt: skip


def tiles():
    """A tile of scores, and one of their nulls."""
    pairs = [("a", "v"), ("a", "w"), ("v", "w")]
    rows = [
        {"dataset": "d", "metric": "cka", "k": None, "model_x": x, "model_y": y, "layer_x": i, "layer_y": 0, "score": 0.1 * i, "n": 8}
        for x, y in pairs
        for i in range(20)
    ]  # fmt: skip
    null = {
        "null_mean": 0.1,
        "tau": 0.2,
        "p_value": 0.05,
        "calibrated_score": 0.0,
        "ci_low": 0.0,
        "ci_high": 1.0,
    }
    scores = pd.DataFrame(rows).astype({"k": "Int64"})
    for path, table, columns in (
        (TILE, scores, tables.SCORES),
        (CALIBRATED, scores[:40:20].assign(**null), tables.NULLS),
    ):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        table[columns].to_parquet(path)


def final_tables():
    """The tables of alignment and performance; no correlation."""
    tiles()
    Path("results/tables").mkdir(parents=True, exist_ok=True)
    made = alignment_table(pd.read_parquet(TILE), pd.read_parquet(CALIBRATED), TABULATE.params["modality"])
    tables.write_table(made, "results/tables/alignment.csv")
    facts = [
        {
            "model": "a",
            "corpus": "text",
            "bytes": 100,
            "tokens": 30,
            "bits_per_byte": 1.5,
            "source": "this run",
        }
    ]
    tables.write_table(pd.DataFrame(facts), "results/tables/performance.csv")
    tables.write_table(pd.DataFrame(columns=tables.CORRELATION), "results/tables/correlation.csv")


def over_n():
    """The table of alignment over n: one pair of models, one draw."""
    row = {"dataset": "d", "model_x": "a", "model_y": "b", "rule": tables.FIXED, "n": 8, "draw": 0, "k": 2}
    made = pd.DataFrame([{**dict.fromkeys(tables.OVER_N, 0.1), **row}])
    Path("results/tables").mkdir(parents=True, exist_ok=True)
    tables.write_table(made[tables.OVER_N], OVER_N.input["table"])


HEAD_OVER_N = "quantity\tn\tmetric\tdraws\tvalue\tsource\n"
published_over_n = put("published.tsv", HEAD_OVER_N + "mean score\t1024\tmutual_knn@10\t1\t0.1\ta paper\n")


def scores():
    """What the language models scored."""
    facts = {
        "corpus": "text",
        "bytes": 100,
        "tokens": 30,
        "bits_per_byte": 1.5,
        "windows": 1,
        "window_nats": [1.0],
    }
    for path in SCORES.input["scores"]:
        put(path, "")()
        write_json(path, {"model": Path(path).stem, **facts})
    captions = {
        "model": "a",
        "bits_per_byte": 1.5,
        "pooled_bits_per_byte": 1.4,
        "longest_tokens": 9,
        "captions": 3,
    }
    task = {
        "task": "t",
        "value": 0.5,
        "shots": 0,
        "stderr": 0.1,
        "documents": 3,
        "measure": "acc",
        "task_version": 1,
        "lm_eval": "0.4",
    }
    for key, made in (("captions", captions), ("downstream", {"model": "a", "scores": [task]})):
        put(DOWNSTREAM.input[key][0], "")()
        write_json(DOWNSTREAM.input[key][0], made)
    put("published.tsv", "model\tmeasure\tshots\tvalue\tsource\nb\tt\t0\t0.5\ta paper\n")()


def without(path, column):
    """Take a column out of a Parquet file or a CSV table."""

    def step():
        if path.endswith(".csv"):
            pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
        else:
            pd.read_parquet(path).drop(columns=column).to_parquet(path)

    return step


def results():
    # fmt: off
    again = "remove it to have it made again"
    for change in DAMAGES:
        name = change.__name__
        yield Row(f"tile-{name}", [tiles, damage(TILE, change)], TABULATE, (f"{TILE}: cannot be read", again))
        yield Row(f"null-{name}", [tiles, damage(CALIBRATED, change)], TABULATE, (f"{CALIBRATED}: cannot be read", again))
        yield Row(f"score-{name}", [scores, damage(ONE_SCORE, change)], SCORES, (f"{ONE_SCORE}: cannot be read", again))
        for key in ("captions", "downstream"):
            path = DOWNSTREAM.input[key][0]
            yield Row(f"score-of-{key}-{name}", [scores, damage(path, change)], DOWNSTREAM, (f"{path}: cannot be read", again))
        for job in (MATRIX, CORRELATE):
            path = job.input["alignment"]
            yield Row(f"csv-{name}-{job.script}", [final_tables, damage(path, change)], job, (f"{path}: ", again))
    path = "results/tables/alignment.csv"
    yield Row("csv-halved-make_story", [final_tables, damage(path, halved)], STORY, (f"{path}: ", again))
    yield Row("tile-swapped", [tiles, lambda: shutil.copy(CALIBRATED, TILE)], TABULATE, (f"{TILE}: cannot be read (column `layer_x` is missing)", again))
    yield Row("tile-without-column", [tiles, without(TILE, "score")], TABULATE, (f"{TILE}: cannot be read (column `score` is missing)", again))
    yield Row("null-without-column", [tiles, without(CALIBRATED, "p_value")], TABULATE, (f"{CALIBRATED}: cannot be read (column `p_value` is missing)", again))
    yield Row("score-not-a-score", [scores, put(ONE_SCORE, "[1, 2]")], SCORES, (f"{ONE_SCORE}: ", again))
    yield Row("score-without-key", [scores, put(ONE_SCORE, '{"model": "a"}')], SCORES, (f"{ONE_SCORE}: key `corpus` is missing", again))
    path = DOWNSTREAM.input["captions"][0]
    yield Row("score-of-captions-without-key", [scores, put(path, '{"model": "a"}')], DOWNSTREAM, (f"{path}: key `bits_per_byte` is missing", again))
    one, other = CORRELATE.input["alignment"], CORRELATE.input["performance"]
    yield Row("csv-swapped", [final_tables, lambda: shutil.copy(other, one)], CORRELATE, (f"{one}: cannot be read (column `dataset` is missing)", again))
    yield Row("csv-without-column", [final_tables, without(other, "bits_per_byte")], CORRELATE, (f"{other}: cannot be read (column `bits_per_byte` is missing)", again))
    for name, text, says in [
        ("no-source", "# a comment\nmodel\tmeasure\tshots\tvalue\tsource\nb\tt\t0\t0.5\t\n", "row 1 (`b`, `t`): no source; say where the number comes from"),
        ("no-column", "model\tmeasure\tshots\tvalue\nb\tt\t0\t0.5\n", "column `source` is missing"),
        ("value-in-words", "model\tmeasure\tshots\tvalue\tsource\nb\tt\t0\thigh\ta paper\n", "row 1 (`b`, `t`): its value is no number"),
        ("no-shots", "model\tmeasure\tshots\tvalue\tsource\nb\tt\t\t0.5\ta paper\n", "row 1 (`b`, `t`): no number of shots"),
        ("percentage", "model\tmeasure\tshots\tvalue\tsource\nb\tt\t0\t50\ta paper\n", "row 1 (`b`, `t`): value outside 0 ... 1"),
        ("no-value", "model\tmeasure\tshots\tvalue\tsource\nb\tt\t0\t\ta paper\n", "row 1 (`b`, `t`): its value is no number"),
        ("second-value", "model\tmeasure\tshots\tvalue\tsource\nb\tt\t0\t0.5\ta paper\nb\tt\t5\t0.4\ta paper\n", "row 2 (`b`, `t`): second value"),
        ("empty", "", ": not a table of published numbers"),
        ("not-utf8", b"model\tmeasure\n\xff\t1\n", "'utf-8' codec can't decode"),
    ]:
        yield Row(f"published-{name}", [scores, put("published.tsv", text)], DOWNSTREAM, ("published.tsv", says))
    for name, row, says in [
        ("cut-short", "mean score\tset:a\tset:b\tcka\t0.3", "row 2 (`mean score`, `set:a`): no source"),
        ("too-long", "mean score\tset:a\tset:b\tcka\t0.3\ta paper\tof 2024", "Expected 6 fields in line 3, saw 7"),
        ("in-words", "mean score\tset:a\tset:b\tcka\thigh\ta paper", "row 2 (`mean score`, `set:a`): its value is no number"),
        ("of-what", "colour\tset:a\tset:b\tcka\t0.3\ta paper", "row 2 (`colour`, `set:a`): unknown quantity; known: "),
        ("k-in-words", "mean score\tset:a\tset:b\tcknna@ten\t0.3\ta paper", "row 2 (`mean score`, `set:a`): no metric of the catalogue"),
        ("no-model", "mean score\tset:a\t\tcka\t0.3\ta paper", "row 2 (`mean score`, `set:a`): no model"),
        ("twice", "mean null\tset:a\tset:b\tcka\t0.3\ta paper", "row 2 (`mean null`, `set:a`): second value"),
    ]:
        yield Row(f"published-number-{name}", [put("published.tsv", NUMBERS + row + "\n")], MEANS, ("published.tsv", says))
    for name, row, says in [
        ("of-what", "score\t1024\tmutual_knn@10\t1\t0.1\ta paper", "row 1 (`score`, `1024`): unknown quantity; known: mean score, "),
        ("of-cka", "mean score\t1024\tcka\t1\t0.1\ta paper", "row 1 (`mean score`, `1024`): its metric is no mutual_knn@K"),
        ("no-n", "mean score\tmany\tmutual_knn@10\t1\t0.1\ta paper", "row 1 (`mean score`, `many`): n and draws must be whole numbers"),
        ("no-draws", "mean score\t1024\tmutual_knn@10\t0\t0.1\ta paper", "row 1 (`mean score`, `1024`): n and draws must be whole numbers"),
        ("no-source", "mean score\t1024\tmutual_knn@10\t1\t0.1\t", "row 1 (`mean score`, `1024`): no source"),
        ("twice", "\n".join(["mean score\t1024\tmutual_knn@10\t1\t0.1\ta paper"] * 2), "row 2 (`mean score`, `1024`): second value"),
    ]:
        made = [over_n, put("published.tsv", HEAD_OVER_N + row + "\n")]
        yield Row(f"published-over-n-{name}", made, OVER_N, ("published.tsv", says))


# Records, runs to audit, crates.

RECORD = "results/records/results/features/d/a.safetensors.json"
CRATE = Job("crate", output={"crate": "results/crate.zip"}, config={}, title="a test", large=False)
AUDIT, IMPORT = command("audit.py", "run"), command("share.py", "import", "crate.zip", "run")


def record_of(name, **parameters):
    """Write the record of an artifact that nothing else was made from."""
    made = {
        "format": "prh-record 2",
        "rule": "r",
        "inputs": {},
        "parameters": parameters,
        "seeds": {},
        "code": {},
    }
    made["outputs"] = {name: {"sha256": digest(name), "bytes": Path(name).stat().st_size}}
    put(record_path(name), "")()
    write_json(
        record_path(name), seal({**made, "run": {"started": "2026-01-01T00:00:00+00:00", "seconds": 1.0}})
    )


def file_digest_of(data):
    return hashlib.sha256(data).hexdigest()


def recorded():
    """A feature file with its record."""
    features_of("a")()
    record_of(FEATURES.format("a"))


def crate(extra=(), but=()):
    """The results as a crate, with some more members, and without some."""

    def step():
        recorded()
        with zipfile.ZipFile("crate.zip", "w") as archive:
            for path in sorted(
                p for p in Path("results").rglob("*") if p.is_file() and p.as_posix() not in but
            ):
                archive.write(path)
            for name, data in extra:
                archive.writestr(name, data)
        shutil.rmtree("results")

    return step


def runs():
    # fmt: off
    for change in DAMAGES:
        says = (f"{RECORD}: ", "record")
        yield Row(f"record-{change.__name__}", [recorded, damage(RECORD, change)], CRATE, says)
    yield Row("record-edited", [recorded, damage(RECORD, lambda d: d.replace(b'"r"', b'"s"'))], CRATE, (f"{RECORD}: the record is not as it was written",))
    yield Row("record-of-another-format", [recorded, damage(RECORD, lambda d: d.replace(b"record 2", b"record 1"))], CRATE, (f"{RECORD}: a record of the format prh-record 1",))
    yield Row("record-of-nothing", [], CRATE, ("has no records; run the workflow first",))
    yield Row("audit-without-records", [put("run/results/a.txt", "a")], AUDIT, ("audit: run: has no records; give a folder with the results/ of a finished run",))
    yield Row("audit-without-folder", [], AUDIT, ("audit: run: has no records",))
    name = FEATURES.format("a")
    for change in DAMAGES:
        yield Row(f"import-{change.__name__}", [crate(), damage("crate.zip", change)], IMPORT, ("import: crate.zip: ",))
    yield Row("import-without-crate", [], IMPORT, ("import: crate.zip: ",))
    yield Row("import-of-nothing", [lambda: Path("crate.zip/results").mkdir(parents=True)], IMPORT, ("import: crate.zip: holds no artifact with a record", "nothing to start from"))
    yield Row("import-of-no-records", [crate(but=[RECORD])], IMPORT, ("holds no artifact with a record", "nothing to start from"))
    for bad in ("../escaped.txt", "/escaped.txt"):
        yield Row(f"import-escapes-{bad[0]}", [crate([(bad, "x")])], IMPORT, (f"import: crate.zip: member `{bad}` would be written outside its folder; do not use it",))
    yield Row("import-of-a-changed-file", [crate([(name, "x")], but=[name])], IMPORT, (f"{name}: not what its record says; get it again",))
    yield Row("import-of-a-changed-record", [crate([(RECORD, "{}")], but=[RECORD])], IMPORT, (f"{RECORD}: not a readable record",))
    yield Row("import-with-a-damaged-list", [crate(), put("run/results/imported.json", "{")], IMPORT, ("import: run/results/imported.json: cannot be read",))
    digest_of, place = file_digest_of(b"x"), "data/features/a.npy"
    for what, steps, where, says in [
        ("an-open-address", [], "http://example.org/crate.zip", "import: http://example.org/crate.zip: give an address that begins with https://"),
        ("an-odd-digest", [], "https://example.org/crate.zip#md5=1", "https://example.org/crate.zip#md5=1: behind # a digest is meant, sha256= and 64 hexadecimal digits"),
        ("features-that-a-list-has-not", [put("f/a.npy", "y"), put("f/SHA256SUMS", f"{digest_of}  a.npy\n")], "f", "SHA256SUMS says 2d711642"),
        ("features-that-are-lost", [put("f/a.npy", "x"), put("f/SHA256SUMS", f"{digest_of}  b.npy\n")], "f", "f/SHA256SUMS: names b.npy, which is not there; get it again"),
        ("features-with-an-odd-list", [put("f/a.npy", "x"), put("f/SHA256SUMS", "a.npy\n")], "f", "f/SHA256SUMS: not a list as sha256sum writes it"),
        ("features-of-the-authors", [put("f/vit_tiny_patch16_224.augreg_in21k_pool-none.pt", "x")], "f", "config/published/official_features.tsv says c40bc27b"),
        ("features-over-another", [put("f/a.npy", "x"), put(f"run/{place}", "mine")], "f", f"import: run/{place}: another one is there already; remove it first"),
        ("a-folder-of-nothing", [put("f/a.txt", "x")], "f", "f: holds no artifact with a record"),
    ]:
        yield Row(f"import-of-{what}", steps, command("share.py", "import", where, "run"), (says,))
    yield Row("import-over-another", [crate(), put(f"run/{name}", "mine")], IMPORT, (f"import: run/{name}: another one is there already; remove it first",))
