"""A thousand models stay a few thousand jobs, a million items of a few models too. How long it takes to plan them: benchmarks/dag.py."""

import re
import subprocess
import sys

from helpers.project import ROOT


def planned(*options):
    """How many jobs of each rule are planned."""
    command = [sys.executable, str(ROOT / "benchmarks" / "dag.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^ *([\d,]+)  (\w+)$", done.stdout, re.M)
    return {rule: int(count.replace(",", "")) for count, rule in found}


def test_a_million_items_in_shards():
    jobs = planned("--models", "4", "--items", "1000000", "--items-per-shard", "65536")
    assert jobs["extract_language_shard"] == jobs["extract_vision_shard"] == 2 * 16
    assert jobs["merge_features"] == jobs["join_neighbors"] == 4
    assert jobs["index_rows"] == 4 * 40
    assert jobs["fetch_hub_dataset"] == 1


def test_a_thousand_models_are_at_most_five_thousand_jobs():
    jobs = planned("--models", "1000")
    assert jobs["index_neighbors"] == 1000
    assert jobs["score_language_model"] == 500
    assert jobs["measure_alignment"] == 55  # ten blocks: all pairs of blocks, and each with itself
    assert 25 <= jobs["calibrate_alignment"] <= 36  # only those of language with vision
    assert sum(jobs.values()) <= 5000
