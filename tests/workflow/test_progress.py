"""What a run says while it runs: on a terminal a line per rule in place, elsewhere plain and rare; errors stay visible."""

import io
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest

from helpers.project import ROOT, SNAKEMAKE, snakemake
from helpers.runs import Clock, Still
from prh.forecast import Job
from prh.progress import about, duration


@pytest.fixture
def clock():
    return Clock()


def progress(clock, terminal=False):
    return Still(io.StringIO(), terminal, clock)


def jobs(**counts):
    """So many jobs of each rule, numbered from 1, of 10 seconds each."""
    rules = [rule for rule, count in counts.items() for _ in range(count)]
    return {number: Job(rule, 10) for number, rule in enumerate(rules, start=1)}


def screen(text):
    """What stands on a terminal after `text`, history included: cursor up, erase below, carriage return."""
    rows, row, column = [""], 0, 0
    for up, erase, _, char in re.findall(r"\x1b\[(\d+)A|(\x1b\[J)|(\x1b\[[0-9;]*m)|(.)", text, re.DOTALL):
        if up:
            row -= int(up)
        elif erase:
            rows[row:] = [rows[row][:column]]
        elif char == "\r":
            column = 0
        elif char == "\n":
            row, column = row + 1, 0
            rows += [""] * (row == len(rows))
        elif char:
            rows[row] = rows[row].ljust(column)[:column] + char + rows[row][column + 1 :]
            column += 1
    return [line for line in rows if line]


def test_durations_and_estimates_in_words():
    assert [duration(s) for s in (4.9, 130, 3900)] == ["4 s", "2 min 10 s", "1 h 5 min"]
    assert [about(s) for s in (2, 26, 100, 7210)] == [
        "about 10 s left",
        "about 30 s left",
        "about 2 min left",
        "about 2 h left",
    ]


def test_without_a_terminal_a_line_when_a_rule_is_done(clock):
    run = progress(clock)
    run.begin(jobs(fetch=2, measure=1))
    for job in (1, 2):
        run.started(job, "Fetching")
        clock.now += 5
        run.ended(job)
    run.started(3, "Measuring")
    said = run.stream.getvalue()
    assert "\x1b" not in said
    assert said.splitlines()[0] == "3 jobs of 2 rules"
    line = "fetch 2 of 2 10 s; 2 of 3 jobs in 10 s, about 10 s left"
    assert said.splitlines()[1].split() == line.split()
    assert len(said.splitlines()) == 2


def test_nothing_is_said_of_the_time_left_before_there_is_ground(clock):
    run = progress(clock, terminal=True)
    run.begin({1: Job("fetch", 1), 2: Job("score", 900)})
    run.started(1)
    run.started(2)
    clock.now += 8
    run.ended(1)
    assert run.seconds_left() is None
    assert "left" not in run.stream.getvalue()
    clock.now += 100
    run.tick()
    assert "about" in screen(run.stream.getvalue())[-1]


def test_without_a_terminal_a_long_silence_ends_with_what_runs(clock):
    run = progress(clock)
    run.begin(jobs(measure=1))
    run.started(1, "Measuring all")
    for _ in range(3600):
        clock.now += 1
        run.tick()
    lines = run.stream.getvalue().splitlines()[1:]
    assert "measure" in lines[0]
    assert "Measuring all" in lines[0]
    assert 15 < len(lines) < 60  # rarer and rarer: each minute at first, then a tenth of the run's time


def test_on_a_terminal_each_rule_is_one_line(clock):
    run = progress(clock, terminal=True)
    run.begin(jobs(fetch=2, measure=2))
    run.started(1)
    run.started(3, "Measuring")
    clock.now += 5
    run.ended(1)
    run.stream.write("measure: config.yaml: a job's own line\n")  # another process, wherever the cursor is
    run.started(2)
    clock.now += 4
    run.ended(2)
    run.ended(3)
    clock.now += 1
    run.tick()
    lines = screen(run.stream.getvalue())
    assert lines[:2] == ["4 jobs of 2 rules", "measure: config.yaml: a job's own line"]
    assert lines[2].split() == ["fetch", "2", "of", "2", "9", "s"]
    assert lines[3].split()[:7] == ["measure", "1", "of", "2", "10", "s"]
    assert lines[4].startswith("3 of 4 jobs in 10 s")
    run.started(4)
    clock.now += 9
    run.ended(4)
    run.close()
    assert [line.split()[0] for line in screen(run.stream.getvalue())[2:]] == ["fetch", "measure"]


def test_a_failed_job_is_counted_and_one_tried_again_is_not(clock):
    run = progress(clock)
    run.begin(jobs(fetch=2))
    run.started(1)
    run.ended(1, failed=True)
    run.started(1)
    run.ended(1)
    run.started(2)
    run.ended(2, failed=True)
    assert re.search(r"fetch +1 of 2 .* 1 failed", run.stream.getvalue())


@pytest.fixture
def part(small, tmp_path):
    """A copy of a finished run in which two figures are missing and one cannot be made."""
    folder = tmp_path / "part"
    ignored = shutil.ignore_patterns("packages", "models", "features", "log")
    shutil.copytree(small, folder, ignore=ignored)
    for name in ("alignment_matrix", "raw_vs_calibrated"):
        (folder / f"figures/{name}.png").unlink()
    return folder


TARGETS = ["--rerun-triggers", "input", "--", "figures/alignment_matrix.png", "figures/raw_vs_calibrated.png"]


def test_a_run_into_a_file(part):
    done = snakemake(part, "--cores", "2", *TARGETS)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("plot_")]
    assert sorted(line.split()[0] for line in lines) == ["plot_alignment_matrix", "plot_raw_vs_calibrated"]
    assert all(re.search(r" 1 of 1 .*; [12] of 2 jobs in \d+ s", line) for line in lines)
    assert "2 jobs of 2 rules" in done.stderr
    assert "To look at first" in done.stderr
    for chatter in ("Select jobs", "jobid", "Finished job", "Reason:"):
        assert chatter not in done.stderr
    (log,) = (part / ".snakemake/log").iterdir()  # Snakemake's own log has all of it
    assert "Reason:" in log.read_text()


def test_a_run_on_a_terminal_with_a_job_that_fails(part):
    table = part / "results/tables/correlation.csv"
    table.write_bytes(b"\xff\xfe\x00")
    command = [
        *SNAKEMAKE,
        "--directory",
        str(part),
        "--configfile",
        str(part / "config.yaml"),
        "--cores",
        "2",
        *TARGETS,
    ]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    master, slave = pty.openpty()
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    try:
        while some := os.read(master, 65536):
            said += some
    except OSError:  # the other end is closed
        pass
    assert child.wait() == 1
    lines = screen(said.decode().replace("\r\n", "\n"))
    assert any(re.match(r"plot_alignment_matrix +1 of 1 ", line) for line in lines)
    assert any(re.match(r"plot_raw_vs_calibrated +0 of 1 .* 1 failed", line) for line in lines)
    assert any(line.startswith("plot_raw_vs_calibrated: ") for line in lines)  # the job's own line
    assert sum("results/logs/figures/raw_vs_calibrated.log" in line for line in lines) >= 2
    assert "1 job failed" in "\n".join(lines)
    assert not any("Select jobs" in line for line in lines)
    assert said.count(b"alignment_matrix") > 2  # its line was refreshed


def test_snakemakes_own_output_can_be_had(part):
    done = snakemake(part, "--cores", "2", "--quiet", "host", *TARGETS[:-1])
    assert done.returncode == 0, done.stderr
    assert "Finished jobid" in done.stderr
    assert "of 1 rule" not in done.stderr


def test_the_scheduler_is_not_woken_each_second_for_every_job_that_was_begun(tmp_path):
    (tmp_path / "Snakefile").write_text(
        f"""
import sys, threading
sys.path.insert(0, {str(ROOT / "scripts")!r})
from prh.progress import Lines
LINES = Lines(workflow, logger, lambda name, wildcards: (1, False))
rule all:
    input: expand("{{i}}", i=range(6))
rule one:
    output: "{{i}}"
    params: woken=lambda wildcards: sum(isinstance(t, threading.Timer) for t in threading.enumerate())
    shell: "echo {{params.woken}} > {{output}}"
"""
    )
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / str(i)).read_text().strip() for i in range(6)] == ["0"] * 6
