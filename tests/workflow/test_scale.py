"""A thousand models stay a few thousand jobs. How long it takes to plan them is measured by benchmarks/dag.py."""

import re
import subprocess
import sys

from helpers.project import ROOT


def test_a_thousand_models_are_at_most_five_thousand_jobs():
    command = [sys.executable, str(ROOT / "benchmarks" / "dag.py"), "--models", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    jobs = {
        rule: int(count.replace(",", ""))
        for count, rule in re.findall(r"^ *([\d,]+)  (\w+)$", done.stdout, re.M)
    }
    assert jobs["index_neighbors"] == 1000
    assert jobs["score_language_model"] == 500
    assert jobs["measure_alignment"] == 55  # ten blocks: all pairs of blocks, and each with itself
    assert 25 <= jobs["calibrate_alignment"] <= 36  # only those of language with vision
    assert sum(jobs.values()) <= 5000
