"""The audit of neighbours of many items: candidates of parts, and the table joined of them."""

import pytest

from faults import bad_artifacts as artifacts
from helpers.forgery import forge
from prh.alignment.large import read_candidates, write_candidates
from prh.alignment.largest import COLUMN, NOTHING
from prh.alignment.neighbors import read_index, write_index
from prh.audit import audit

PARTS = [f"results/neighbor_candidates/d/a/{number}.safetensors" for number in range(2)]
TABLE = artifacts.NEIGHBOURS.format("a")


@pytest.fixture
def by_parts(tmp_path, monkeypatch):
    """Features of eight items, the candidates of two parts of four, and the table."""
    monkeypatch.chdir(tmp_path)
    artifacts.features_of("a")()
    artifacts.record_of(
        artifacts.FEATURES.format("a"), row={"name": "a", "revision": None, "layers": 2, "width": 5}
    )
    how = {"k_max": 2, **artifacts.PREPARATION}
    inputs = artifacts.INDEX.input
    jobs = [
        artifacts.Job("index_rows", {"candidates": path}, inputs, **how, part=number, size=4)
        for number, path in enumerate(PARTS)
    ]
    jobs.append(artifacts.Job("join_neighbors", {"neighbors": TABLE}, {**inputs, "candidates": PARTS}, **how))
    for job in jobs:
        job.older()
        job()
    return tmp_path


def verdicts(folder):
    return {finding.artifact: finding for finding in audit.audit(folder, samples=4, seed=0)}


def test_parts_and_table_are_found_true_and_made_again(by_parts):
    found = verdicts(by_parts)
    for name in (*PARTS, TABLE):
        assert "found again in 2 layers" in str(found[name]), found[name]
        assert "not its" not in str(found[name])


def swapped(path, target):
    """Another item in place of each one's nearest."""
    ids, metadata = read_index(path)
    for item, row in enumerate(ids[0].tolist()):
        ids[0, item, 0] = max({*range(8)} - {item, *row})
    write_index(target, ids, metadata)


def changed(change, **facts):
    """Candidates of which `change` makes others, in every layer; with other facts beside them."""

    def forged(path, target):
        found, metadata = read_candidates(path)
        layers = [{part: change(tensor[layer]) for part, tensor in found.items()} for layer in range(2)]
        write_candidates(target, layers, metadata | facts)

    return forged


def later(numbers):
    """The second candidate in place of the first."""
    numbers[:, 0] = numbers[:, 1]
    return numbers


def few(numbers):
    """Only one candidate."""
    numbers[:, 1] = NOTHING
    return numbers


def other(numbers):
    """The one item of part 1 that is left in place of the nearest, as similar as that was."""
    for item, row in enumerate(numbers, start=4):
        (left,) = {*range(4, 8)} - {item, *(row & COLUMN).tolist()}
        row[0] += left - (row[0] & COLUMN)
    return numbers


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (PARTS[0], changed(few), "not its 2 nearest neighbours"),
        (PARTS[0], changed(later), "has a neighbour twice"),
        (PARTS[1], changed(other), "not its 2 nearest neighbours"),
        (PARTS[1], changed(lambda numbers: numbers - 4), "a candidate that this job did not compare it with"),
        (TABLE, swapped, f"is not what the 2 files of candidates, {PARTS[0]} and so on, hold"),
    ],
)
def test_a_wrong_neighbour_is_found(by_parts, name, change, says):
    forge(by_parts, name, change)
    assert says in str(verdicts(by_parts)[name])


def test_a_part_of_another_size_is_found(by_parts):
    forge(by_parts, PARTS[1], lambda path, target: target.write_bytes((by_parts / PARTS[0]).read_bytes()))
    assert "is of part 0 of 4 items, the rule asked for 1 of 4" in str(verdicts(by_parts)[PARTS[1]])
