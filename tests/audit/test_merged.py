"""Features that were merged of shards, before the audit: by the records of shards that are gone it goes back to model and data set."""

from pathlib import Path

import pytest

from faults.bad_artifacts import record_of
from faults.bad_models import DATA, LANGUAGE, MODEL, dataset, language_model
from helpers.jobs import Job, watched
from prh.audit.audit import audit

FEATURES = LANGUAGE.output["features"]
SHARDS = [f"results/shards/pictures/m/0000{i}.safetensors" for i in range(2)]
PARTS = ([0, 2], [2, 3])


def extract(number):
    """A shard of the three pairs."""
    given = {**LANGUAGE.params, "part": PARTS[number]}
    return Job("extract_features", output={"features": SHARDS[number]}, input=LANGUAGE.input, **given)


def run(job):
    for name in job.output.values():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
    assert watched(job) == (0, [])


@pytest.fixture
def merged(here):
    """A merged file, its shards, and records of all."""
    dataset()
    language_model()()
    record_of(DATA)
    record_of(MODEL)
    for number in range(2):
        run(extract(number))
    given = {key: LANGUAGE.params[key] for key in ("row", "settings", "weights")}
    run(Job("merge_features", output={"features": FEATURES}, input={"shards": SHARDS}, **given))


def found():
    """What the audit finds of features, by name."""
    return {finding.artifact: finding for finding in audit(Path()) if "safetensors" in finding.artifact}


def test_shards_that_are_there_are_checked_as_features_are(merged):
    for name, finding in found().items():
        assert finding.passed == ["digest", "chain", "format", "sample"], name
        assert any("made again, all layers: differ by" in remark for remark in finding.remarks)


def test_shards_that_are_gone_still_lead_to_model_and_data_set(merged):
    for path in SHARDS:
        Path(path).unlink()
    result = found()
    assert result[FEATURES].passed == ["digest", "chain", "format", "sample"]
    for path in SHARDS:
        assert result[path].passed == ["chain"]
        assert not result[path].absent
        assert f"removed when it had been merged into {FEATURES}" in result[path].remarks


def test_a_shard_that_was_made_anew_from_something_else_is_seen(merged):
    with Path(DATA, "manifest.json").open("a") as file:
        file.write(" ")
    record_of(DATA)
    for path in SHARDS:
        Path(path).unlink()
    assert f"made from another {DATA} than is there now" in found()[SHARDS[0]].wrong
    run(extract(0))
    result = found()
    assert result[SHARDS[0]].wrong == []
    assert f"made from another {SHARDS[0]} than is there now" in result[FEATURES].wrong


def test_shards_of_an_earlier_run_are_history(merged):
    for path in SHARDS:
        Path(path).unlink()
    run(LANGUAGE)  # whole
    assert set(found()) == {FEATURES}


def test_a_shard_of_other_items_is_seen(merged):
    """As if somebody had put one in the other's place, with its record."""
    Path(SHARDS[1]).write_bytes(Path(SHARDS[0]).read_bytes())
    record_of(SHARDS[1], **extract(1).params)
    assert "begins with item 0, the rule asked for 2" in found()[SHARDS[1]].wrong
