"""What a run expects: when its jobs end, by what they cost, what those took that are done, and how many run at once."""

import sys
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import exp, log

GROUND = 1 / 20  # the share of all work, downloads aside, that must be done before anything is said
# Seconds of work that count as done at their cost: the first jobs find cold caches, and mostly import.
PRIOR = 60
LATE = 9 / 8  # a job that outlasts what was expected is taken to have a ninth before it


@dataclass
class Job:
    """A job of a run, and how far it is.

    cost: seconds that it takes somewhere. network: whether it downloads: what that takes says nothing of other jobs.
    after: the jobs that must be done before it begins. needs: how much it takes, while it runs, of each thing that is limited.
    priority: the higher, the sooner it begins.
    began: when, on any clock; seconds: how long it took, once it is done.
    """

    rule: str
    cost: float
    network: bool = False
    after: frozenset = frozenset()
    needs: tuple = ()
    priority: int = 0
    began: float | None = None
    seconds: float | None = None
    failed: bool = False

    @property
    def done(self):
        """Whether it has ended well."""
        return self.seconds is not None

    @property
    def running(self):
        """Whether it has begun and not ended."""
        return self.began is not None and not self.done and not self.failed

    @property
    def waits(self):
        """Whether it has not begun."""
        return self.began is None


def planned(workflow, cost):
    """The jobs of Snakemake's plan, {its number of a job: Job}, and how much there is of what they need: cores, nodes, ...

    Targets are not among them. cost: (seconds, whether it downloads) by the name of a rule and its wildcards.
    """
    dag, given = workflow.dag, workflow.scheduler.global_resources
    limits = {name: amount for name, amount in sorted(given.items()) if amount < sys.maxsize}
    real = {job for job in dag.needrun_jobs(exclude_finished=False) if job.output or job.log}
    jobs = {}
    for job in sorted(real, key=dag.jobid):
        after = frozenset(dag.jobid(other) for other in dag.job_dependencies(job) if other in real)
        needs = tuple(job.scheduler_resources.get(name, 0) for name in limits)
        price = cost(job.rule.name, job.wildcards)
        jobs[dag.jobid(job)] = Job(job.rule.name, *price, after, needs, dag.priority(job))
    return jobs, tuple(limits.values())


def forecast(jobs, limits, now):
    """When each job that is not done is expected to end, {name: time}; empty while there is no ground to say so.

    jobs: {name: Job}. limits: how much there is of what jobs need. Jobs that wait for a failed one are left out.
    """
    elapsed = {name: now - job.began for name, job in jobs.items() if job.running}
    expected = _expected(jobs, elapsed)
    work = {name: job for name, job in jobs.items() if not job.network} or jobs
    done = {name: job.done or elapsed.get(name, 0) / expected[name] for name, job in work.items()}
    ground = sum(job.cost * done[name] for name, job in work.items()) / sum(job.cost for job in work.values())
    if ground < GROUND:
        return {}
    # Which of several jobs begins first is Snakemake's choice: between the best, the longest, and the worst, that one last.
    longest = max((name for name in reversed(jobs) if jobs[name].waits), key=expected.get, default=None)
    best, worst = (_played(jobs, limits, expected, now, last) for last in (None, longest))
    return {name: (end + worst[name]) / 2 for name, end in best.items()}


def _expected(jobs, elapsed):
    """Seconds that each job takes: its cost at the speed of its rule, and no less than it has run and a bit."""
    took = {name: job.seconds for name, job in jobs.items() if job.done}
    for _ in range(2):  # what is late says how fast its rule is, too
        speeds = _speeds(jobs, took)
        expected = {name: job.cost * speeds[job.rule] for name, job in jobs.items()}
        late = {name: LATE * seconds for name, seconds in elapsed.items() if LATE * seconds > expected[name]}
        took |= late
    return expected | late


def _speeds(jobs, took):
    """How many times their cost the jobs of each rule take, {rule: factor}, by what some jobs took.

    All jobs: the mean of their factors, in logarithms, by their cost. A rule: what its own jobs took by what they cost, and as
    if one more of them took what all jobs do. Downloads have a mean of their own.
    """
    by_rule, speeds = {}, {}
    for name, job in jobs.items():
        by_rule.setdefault((job.network, job.rule), []).append(name)
    for network in (False, True):
        seen = [(jobs[name].cost, seconds) for name, seconds in took.items() if jobs[name].network == network]
        total = sum(cost * log(max(seconds, 0.1) / cost) for cost, seconds in seen)
        usual = exp(total / (PRIOR + sum(cost for cost, _ in seen)))
        for rule, names in ((rule, names) for (kind, rule), names in by_rule.items() if kind == network):
            one = sum(jobs[name].cost for name in names) / len(names)
            own = [name for name in names if name in took]
            seconds, cost = sum(took[name] for name in own), sum(jobs[name].cost for name in own)
            speeds[rule] = (seconds + one * usual) / (cost + one)
    return speeds


def _played(jobs, limits, expected, now, last):
    """The rest of the run, {name: end}: a job begins as soon as those before it are done and there is room, by priority.

    Of equals the longest begins first; last: a job that begins after its equals.
    """
    place = {name: i for i, name in enumerate(jobs)}
    left, followers = {}, {}  # of each job that waits: how many are before it; of each job: which wait for it
    ready = {}  # heaps of jobs that may begin, by what they need

    def may_begin(name):
        order = -jobs[name].priority, name == last, -expected[name], place[name], name
        heappush(ready.setdefault(jobs[name].needs, []), order)

    for name, job in jobs.items():
        before = [other for other in job.after if not jobs[other].done]
        if job.waits and not before:
            may_begin(name)
        elif job.waits:
            left[name] = len(before)
            for other in before:
                followers.setdefault(other, []).append(name)
    running = [(job.began + expected[name], place[name], name) for name, job in jobs.items() if job.running]
    heapify(running)
    free = [limit - sum(jobs[name].needs[i] for *_, name in running) for i, limit in enumerate(limits)]
    ends, at = {}, now
    while True:
        while fitting := [heap for needs, heap in ready.items() if heap and _fits(needs, free)]:
            *_, name = heappop(min(fitting))
            heappush(running, (at + expected[name], place[name], name))
            free = [room - need for room, need in zip(free, jobs[name].needs, strict=True)]
        if not running:
            return ends
        at, _, name = heappop(running)
        ends[name] = at
        free = [room + need for room, need in zip(free, jobs[name].needs, strict=True)]
        for other in followers.get(name, ()):
            left[other] -= 1
            if not left[other]:
                may_begin(other)


def _fits(needs, free):
    return all(need <= room for need, room in zip(needs, free, strict=True))
