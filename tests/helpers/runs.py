"""Runs of the workflow as jobs with their costs and times: planned, recorded, simulated, and shown to a run's own estimate.

To record the default run anew, in a clone that has just made it while nothing else ran on the machine:

    PYTHONPATH=tests:scripts .venv/bin/python -m helpers.runs tests/data/mini_run
"""

import csv
import heapq
import io
import math
import random
import re
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

from helpers.rules import opened, variables
from prh.configuration.loading import TABLES
from prh.forecast import Job, planned
from prh.progress import Progress

COLUMNS = ("job", "rule", "what", "priority", "cores", "after", "began", "ended")


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self):
        return self.now


class Still(Progress):
    """Seconds go by when the test says so."""

    def _tick(self):
        pass


def plan(*configfiles, cores=2):
    """What a run in an empty folder would do: ({job: Job}, limits, {job: Snakemake's own job})."""
    with tempfile.TemporaryDirectory() as folder, opened(configfiles, folder, cores) as found:
        found.dag().execute_workflow(executor="dryrun")
        own = found._workflow
        return *planned(own, own.globals["cost"]), {own.dag.jobid(job): job for job in own.dag.jobs}


def record(clone, folder):
    """Write to `folder` the finished run in a clone: its configuration with its tables, and jobs.tsv, its plan with the times in
    Snakemake's own log, in seconds from the first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = (clone / "config/config.yaml").read_text()
    for name in TABLES:
        (folder / f"{name}.tsv").write_text((clone / f"config/{name}.tsv").read_text())
        text = text.replace(f"config/{name}.tsv", f"{folder.as_posix()}/{name}.tsv")
    (folder / "config.yaml").write_text(text)
    jobs, _, own = plan((folder / "config.yaml").absolute())
    known, numbers, times, at = {own[name].message: name for name in jobs}, {}, {}, None
    (log,) = (clone / ".snakemake/log").glob("*.log")
    for line in log.read_text().splitlines():
        if stamp := re.fullmatch(r"\[(\w{3} \w{3} .*)\]", line):
            at = datetime.strptime(stamp[1], "%a %b %d %H:%M:%S %Y")
        elif begun := re.fullmatch(r"Job (\d+): (.*)", line):
            numbers[begun[1]] = known[begun[2]]
            times[known[begun[2]]] = [at]
        elif (ended := re.match(r"Finished jobid: (\d+) ", line)) and ended[1] in numbers:
            times[numbers[ended[1]]].append(at)
    first = min(began for began, _ in times.values())
    with (folder / "jobs.tsv").open("w") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for name, (began, ended) in sorted(times.items(), key=lambda item: item[1]):
            job, what = jobs[name], " ".join(f"{k}={v}" for k, v in own[name].wildcards.items() if v)
            after = " ".join(map(str, sorted(job.after & times.keys())))
            seconds = [int((moment - first).total_seconds()) for moment in (began, ended)]
            table.writerow((name, job.rule, what, job.priority, *job.needs, after, *seconds))


def recorded(folder):
    """A run that was recorded, with what its jobs cost by today's rules: ({job: Job}, limits, {job: (begin, end)})."""
    (cost,) = variables("cost", configfiles=[folder / "config.yaml"])
    jobs, times = {}, {}
    with (folder / "jobs.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            what = SimpleNamespace(**dict(part.split("=") for part in row["what"].split()))
            after = frozenset(map(int, row["after"].split()))
            rest = (after, (int(row["cores"]),), int(row["priority"]))
            jobs[int(row["job"])] = Job(row["rule"], *cost(row["rule"], what), *rest)
            times[int(row["job"])] = float(row["began"]), float(row["ended"])
    return jobs, (2,), times


def simulated(jobs, limits, speed, network, seed):
    """{job: (begin, end)} of jobs that take `speed` times their cost, downloads `network` times; of equals any one begins.

    Costs are wrong as costs are: by about 10 % for all jobs of a rule, and by 5 % for each.
    """
    chance = random.Random(seed)
    wrong = {rule: math.exp(chance.gauss(0, 0.1)) for rule in sorted({job.rule for job in jobs.values()})}
    takes = {
        name: job.cost
        * (network if job.network else speed)
        * wrong[job.rule]
        * math.exp(chance.gauss(0, 0.05))
        for name, job in jobs.items()
    }
    free, at, running, times, done, left = list(limits), 0.0, [], {}, set(), set(jobs)
    while left or running:
        ready = sorted(name for name in left if jobs[name].after <= done)
        for name in sorted(ready, key=lambda name: (-jobs[name].priority, chance.random())):
            if all(need <= room for need, room in zip(jobs[name].needs, free, strict=True)):
                free = [room - need for room, need in zip(free, jobs[name].needs, strict=True)]
                times[name] = at, at + takes[name]
                heapq.heappush(running, (at + takes[name], name))
                left.remove(name)
        at, name = heapq.heappop(running)
        free = [room + need for room, need in zip(free, jobs[name].needs, strict=True)]
        done.add(name)
    return times


def replayed(jobs, limits, times, shares):
    """The run again, for `Progress`: {share of the run: (the time left that it says, or None; the time that was left)}."""
    clock, end = Clock(), max(end for _, end in times.values())
    run = Still(io.StringIO(), False, clock)
    # Of one moment first what ends, then what begins; but of a job that took no whole second its own beginning.
    events = [(end, 0 if begin < end else 1.5, name) for name, (begin, end) in times.items()]
    events += [(begin, 1, name) for name, (begin, _) in times.items()]
    events += [(share * end, 2, share) for share in shares]
    clock.now, said = 0.0, {}
    run.begin({name: replace(job) for name, job in jobs.items()}, limits)
    for clock.now, kind, what in sorted(events):
        if kind in (0, 1.5):
            run.ended(what)
        elif kind == 1:
            run.started(what)
        else:
            said[what] = run.seconds_left(), end - clock.now
    return said


if __name__ == "__main__":
    record(Path(), Path(sys.argv[1]))
