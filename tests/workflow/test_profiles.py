"""The profiles name rules that there are, and the workflow can be planned with them."""

import subprocess

import pytest
import yaml

from helpers.project import ROOT, SNAKEMAKE
from helpers.rules import all_rules


@pytest.mark.parametrize("name", ["default", "slurm", "kubernetes"])
def test_profiles_name_rules_that_there_are(name):
    profile = yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
    for key in ("set-threads", "set-resources", "groups"):
        assert set(profile.get(key, {})) <= set(all_rules())
    assert set(profile.get("group-components", {})) <= set(profile.get("groups", {}).values())


def test_shards_run_beside_each_other_on_a_cluster():
    """Jobs of a group that depend on one another are one job of the cluster: so shards are in none, and what merges them is."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    shards = {name for name in all_rules() if name.endswith("_shard")}
    assert len(shards) == 4
    assert shards <= set(profile["set-threads"])
    assert not shards & set(profile["groups"])
    assert profile["groups"]["merge_features"] == profile["groups"]["index_neighbors"]


def test_the_workflow_is_planned_with_the_slurm_profile(tmp_path):
    options = ["--profile", str(ROOT / "profiles/slurm"), "--dry-run"]
    command = [*SNAKEMAKE, "--directory", str(tmp_path), *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
