"""The time left that a run says: by what jobs cost, by what they took, by how many run at once.

From a tenth of the run on it is right within a factor of 1.5, in a recorded default run and in simulated ones of the paper's
plan. To record the default run anew, helpers/runs.py says how.
"""

import math

import pytest

from helpers.project import ROOT
from helpers.rules import variables
from helpers.runs import plan, recorded, replayed, simulated
from prh.forecast import LATE, PRIOR, Job, forecast

SHARES = [share / 20 for share in range(2, 19)]
FACTOR = 1.5


def left(jobs, limits=(), now=0.0):
    """Seconds until the last job is expected to end."""
    return max(forecast(jobs, limits, now).values()) - now


def done(rule, cost, seconds):
    return Job(rule, cost, began=-seconds, seconds=seconds)


def test_as_many_run_at_once_as_there_is_room_for():
    jobs = {0: done("a", 600, 600)} | {i: Job("a", 600, needs=(1,)) for i in range(1, 7)}
    jobs[0].needs = (1,)
    for cores, rounds in ((1, 6), (2, 3), (4, 2), (6, 1)):
        assert left(jobs, (cores,)) == pytest.approx(600 * rounds)
    jobs[7] = Job("a", 600, needs=(2,), priority=1)  # goes first, and alone
    assert left(jobs, (2,)) == pytest.approx(600 * 4)


def test_a_chain_is_as_long_as_its_jobs():
    jobs = {0: done("a", 600, 600)} | {i: Job("a", 600, after=frozenset({i - 1})) for i in range(1, 5)}
    assert left(jobs, ()) == pytest.approx(4 * 600)
    jobs[2].began, jobs[2].failed = -10, True  # what waits for it will not begin
    assert set(forecast(jobs, (), 0)) == {1}


def test_jobs_cost_by_their_kind_and_a_rule_learns_from_its_own():
    jobs = {0: done("slow", 600, 1200), 1: Job("slow", 300), 2: Job("other", 300)}
    ends = forecast(jobs, (), 0)
    usual = 2 ** (600 / (600 + PRIOR))  # all jobs: of twice the cost, and a little of the cost itself
    assert ends[2] == pytest.approx(300 * usual)
    assert ends[1] == pytest.approx(
        300 * (1200 + 450 * usual) / (600 + 450)
    )  # as if one more took what all do


def test_downloads_say_nothing_of_other_jobs():
    jobs = {0: Job("fetch", 600, True, began=-6000, seconds=6000), 1: done("a", 60, 60), 2: Job("a", 600)}
    assert forecast(jobs, (), 0)[2] == pytest.approx(600)
    jobs = {0: Job("fetch", 600, True, began=-6000, seconds=6000), 1: Job("a", 600)}
    assert forecast(jobs, (), 0) == {}  # nor are they ground to say anything


def test_a_job_that_is_late_has_a_ninth_before_it_and_its_rule_takes_longer():
    jobs = {0: Job("a", 100, began=0), 1: Job("a", 100, after=frozenset({0}))}
    for now in (50, 88):
        assert left(jobs, (), now) == pytest.approx(200 - now)
    ends = forecast(jobs, (), 1000)
    assert ends[0] == pytest.approx(LATE * 1000)
    assert 600 < ends[1] - ends[0] < LATE * 1000


def test_each_job_has_a_cost_of_its_own():
    (cost,) = variables("cost")
    for jobs in (plan()[0], plan(ROOT / "config" / "paper.yaml")[0]):
        assert all(0 < job.cost < math.inf for job in jobs.values())
        running = {job.cost for job in jobs.values() if job.rule.startswith(("extract", "score"))}
        assert max(running) > 5 * min(running)
    assert cost("a_rule_that_is_new", None) == (cost("report", None)[0], False)


def ratios(jobs, limits, times):
    """What the run says is left over what was left, by the share of the run that is over; 0 if it says nothing."""
    said = replayed(jobs, limits, times, SHARES)
    return {share: round((says or 0) / was, 2) for share, (says, was) in said.items()}


def far(found):
    return {share: ratio for share, ratio in found.items() if not 1 / FACTOR <= ratio <= FACTOR}


@pytest.mark.parametrize("speed", [0.9, 1, 1.5, 3])
def test_of_the_recorded_default_run(speed):
    """On its machine, and on one that takes so many times as long; what is much faster is believed when a long job has ended."""
    jobs, limits, times = recorded(ROOT / "tests" / "data" / "mini_run")
    times = {job: (speed * began, speed * ended) for job, (began, ended) in times.items()}
    assert far(ratios(jobs, limits, times)) == {}


@pytest.fixture(scope="module")
def paper():
    """The paper's plan on 16 cores, of which a job that runs a model takes 8."""
    jobs, limits, _ = plan(ROOT / "config" / "paper.yaml", cores=16)
    assert limits == (16,)
    return jobs


SPEEDS = [(1, 1), (0.4, 1), (3, 0.5)]  # of the machine and of the network: times that the cost is taken


@pytest.mark.parametrize(("speed", "network"), SPEEDS)
def test_of_simulated_runs_of_the_papers_plan(paper, speed, network):
    """Two models at a time."""
    runs = [simulated(paper, (16,), speed, network, seed) for seed in range(10)]
    assert [far(ratios(paper, (16,), times)) for times in runs] == [{}] * 10


@pytest.mark.parametrize("cores", [32, 64])
@pytest.mark.parametrize(("speed", "network"), SPEEDS)
def test_of_simulated_runs_with_more_at_once(paper, cores, speed, network):
    """Four and eight at a time the last hours are one model's, and what it surprises with is a large part of them."""
    runs = [ratios(paper, (cores,), simulated(paper, (cores,), speed, network, seed)) for seed in range(10)]
    assert sum(len(far(found)) for found in runs) <= 0.05 * len(runs) * len(SHARES)
    assert all(0.4 < ratio < 2.5 for found in runs for ratio in found.values())
