"""The audit of neighbours that were found by rows: parts and the table joined of them."""

from pathlib import Path

import pytest
import torch

from faults import bad_artifacts as artifacts
from helpers.forgery import forge
from prh.alignment.large import read_rows, write_rows
from prh.alignment.neighbors import read_index, write_index
from prh.audit import audit

PARTS = [f"results/neighbor_rows/d/a/{number}.safetensors" for number in range(2)]
TABLE = artifacts.NEIGHBOURS.format("a")


@pytest.fixture
def by_rows(tmp_path, monkeypatch):
    """Features of eight items, the neighbours of four of them twice, and the table."""
    monkeypatch.chdir(tmp_path)
    artifacts.features_of("a")()
    artifacts.record_of(
        artifacts.FEATURES.format("a"), row={"name": "a", "revision": None, "layers": 2, "width": 5}
    )
    how = {"k_max": 2, **artifacts.PREPARATION}
    inputs = artifacts.INDEX.input
    jobs = [
        artifacts.Job("index_rows", {"rows": path}, inputs, **how, span=[4 * number, 4 * number + 4])
        for number, path in enumerate(PARTS)
    ]
    jobs.append(artifacts.Job("join_neighbors", {"neighbors": TABLE}, {**inputs, "rows": PARTS}, **how))
    for job in jobs:
        job.older()
        job()
    return tmp_path


def verdicts(folder):
    return {finding.artifact: finding for finding in audit.audit(folder, samples=4, seed=0)}


def test_parts_and_table_are_found_true_and_made_again(by_rows):
    found = verdicts(by_rows)
    for name in (*PARTS, TABLE):
        assert "found again in 2 layers" in str(found[name]), found[name]
        assert "not its" not in str(found[name])


def swapped(read, write):
    """Another item in place of each one's nearest."""

    def change(path, target):
        ids, metadata = read(path)
        for item, row in enumerate(ids[0].tolist()):
            ids[0, item, 0] = max({*range(8)} - {item, *row})
        write(target, ids, metadata)

    return change


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (PARTS[0], swapped(read_rows, write_rows), "not its 2 nearest neighbours"),
        (TABLE, swapped(read_index, write_index), f"is not what {PARTS[0]} holds"),
    ],
)
def test_a_wrong_neighbour_is_found(by_rows, name, change, says):
    forge(by_rows, name, change)
    assert says in str(verdicts(by_rows)[name])


def test_a_part_of_other_rows_is_found(by_rows):
    def change(path, target):
        ids, metadata = read_rows(path)
        write_rows(target, ids, metadata | {"first": 1})

    forge(by_rows, PARTS[1], change)
    assert "items 1 ... 5, the rule asked for 4 ... 8" in str(verdicts(by_rows)[PARTS[1]])
    assert torch.equal(read_index(Path(TABLE))[0][:, 4:], read_rows(PARTS[1])[0])
