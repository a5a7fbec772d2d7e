"""What was imported stays, and what lacks only what it was made from: plans of a small run, by Snakemake itself."""

import re
import shutil
import subprocess
import sys

import pytest

from helpers.project import ROOT, copy_repository, snakemake, snakemake_of
from prh.provenance import WORKFLOW, read_record, record_path, seal, write_json

TILE = "results/alignment/openmoji_64/cka/0-1.parquet"
OTHER = "results/alignment/openmoji_64/cka/0-0.parquet"
FIGURE = "figures/alignment_vs_performance.pdf"
TABLES = ["results/tables/alignment.csv", "results/tables/performance.csv"]
FEATURES = "results/features/openmoji_64/minilm-l6.safetensors"
OF_THE_RUN = ("config.yaml", "datasets.tsv", "corpora.tsv", "data")


def copied(small, folder, left_out):
    """The small run without some of its results, and without what is large."""
    for name in OF_THE_RUN:
        (shutil.copytree if (small / name).is_dir() else shutil.copy)(small / name, folder / name)
    skipped = shutil.ignore_patterns("packages", "models", "levels", *left_out)
    shutil.copytree(small / "results", folder / "results", ignore=lambda place, names: (
        [] if "records" in place or place != str(small / "results") else skipped(place, names)
    ))  # fmt: skip
    shutil.copytree(small / ".snakemake/metadata", folder / ".snakemake/metadata")
    return folder


@pytest.fixture
def without_features(small, tmp_path):
    return copied(small, tmp_path, ("features", "neighbors", "colour"))


def planned(folder, *arguments):
    """Jobs of a plan by rule, and all that was said."""
    done = snakemake(folder, "-n", *arguments)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    table = said.partition("Job stats:")[2].partition("total")[0]
    return {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)}, said


def test_a_run_whose_features_were_deleted(without_features):
    """Its tables are as they were, and a tile that is lost asks for its own models' features only."""
    assert planned(without_features, *TABLES)[0] == {}
    (without_features / OTHER).unlink()
    found, _ = planned(without_features, OTHER, *TABLES)
    models = ("smollm2-135m-random", "minilm-l6", "efficientnet-lite0-random")  # of the first block
    assert found["measure_alignment"] == 1
    assert sum(found[rule] for rule in found if re.fullmatch(r"extract_\w+_features", rule)) == len(models)
    assert not {"index_neighbors", "calibrate_alignment", "tabulate_alignment"} & found.keys()


def test_a_run_in_the_clone_itself(small, tmp_path):
    """There the workflow's own files are named as the run's are."""
    clone = copy_repository(tmp_path)
    shutil.rmtree(clone / "results")
    folder = copied(small, clone, ("features", "neighbors"))
    for path in (folder / "results/records/results").rglob("*.json"):
        path.write_text(path.read_text().replace(f"{WORKFLOW}config/", "config/"))
    done = snakemake_of(folder, folder, "-n", "results/tables/colours.csv", TABLES[0])
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Nothing to be done" in done.stdout + done.stderr


def test_what_is_made_again_and_comes_out_the_same_makes_nothing_anew(small, tmp_path):
    folder = copied(small, tmp_path, ("colour",))
    path = folder / record_path(FEATURES)
    record = read_record(path)
    record["run"]["started"] = "2099-01-01T00:00:00+00:00"
    write_json(path, seal(record))
    (folder / FEATURES).touch()
    assert planned(folder, *TABLES)[0] == {}
    (folder / FEATURES).write_bytes((folder / FEATURES).read_bytes()[:-1] + b"\1")
    assert planned(folder, *TABLES)[0]["tabulate_alignment"] == 1


def test_another_setting_is_another_thing(without_features):
    found, _ = planned(without_features, *TABLES, "--config", "seed=1")
    assert found["tabulate_alignment"] == 1


@pytest.fixture(scope="module")
def crate(small, tmp_path_factory):
    """The small crate of the run, made elsewhere."""
    from prh.audit.crate import export

    path = tmp_path_factory.mktemp("crate") / "crate.zip"
    export(small, ROOT, {"title": "small"}, path, "small")
    return path


@pytest.fixture
def bob(small, crate, tmp_path):
    """A working directory with the run's configuration, and what the crate holds."""
    for name in OF_THE_RUN:
        (shutil.copytree if (small / name).is_dir() else shutil.copy)(small / name, tmp_path / name)
    command = [sys.executable, str(ROOT / "scripts/share.py"), "import", str(crate), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_an_imported_run_draws_its_figure_and_plans_nothing_else(bob, small, crate):
    assert crate.stat().st_size < 6e6
    found, said = planned(bob, FIGURE)
    assert found == {"plot_alignment_vs_performance": 1}
    assert "Imported, but" not in said
    assert planned(bob, *TABLES, TILE)[0] == {}
    done = snakemake(bob, "--cores", "2", FIGURE)
    assert done.returncode == 0, done.stderr[-3000:]
    for ending in ("pdf", "png", "csv"):
        made = f"{FIGURE[:-4]}.{ending}"
        assert (bob / made).read_bytes() == (small / made).read_bytes()
    assert not (bob / "results/packages").exists()


def test_what_was_imported_is_made_again_if_forced_or_of_other_settings(bob):
    found, _ = planned(bob, "results/tables/correlation.csv", "--forcerun", "results/tables/alignment.csv")
    assert found == {"tabulate_alignment": 1, "correlate": 1}
    found, said = planned(bob, "results/tables/correlation.csv", "--config", "seed=1")
    assert found["calibrate_alignment"] > 0
    assert found["index_neighbors"] > 0
    assert re.search(
        r"Imported, but not of this configuration, and made anew where needed: results/\S+ \(parameter seed\)",
        said,
    )
    (bob / "results/performance/web_bible/smollm2-135m-random.json").unlink()
    assert planned(bob, TABLES[0])[0] == {}


def test_another_version_of_the_code_is_said(bob):
    path = bob / record_path(TABLES[0])
    record = read_record(path)
    record["parameters"]["code"] = "another"
    write_json(path, seal(record))
    listed = (bob / "results/imported.json").read_text()
    (bob / "results/imported.json").write_text(
        re.sub(
            r'("results/records/results/tables/alignment.csv.json": )"\w+"',
            rf'\1"{seal(record)["run"]["sha256"]}"',
            listed,
        )
    )
    found, said = planned(bob, TABLES[0])
    assert found == {}
    assert (
        "Kept, though made by another version of the code: results/tables/alignment.csv; --forcerun makes"
        in said
    )
