"""Labels and titles with signs that mean something to Snakemake, Jinja, matplotlib or HTML: planned as any others."""

import pandas as pd
import yaml

from helpers.project import ROOT, snakemake
from helpers.rules import workflow

ODD = "R$^{2}$ {English} {{x}} _of_ <b> 100 % *x* ` {% if %}"


def odd_words(folder, **changes):
    """A configuration in a folder whose title, and every label and licence of its tables, has such signs."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | changes
    for name in ("models", "datasets", "corpora"):
        table = pd.read_csv(ROOT / config["tables"][name], sep="\t", dtype=str, keep_default_na=False)
        table.assign(label=ODD + " " + table.label, licence=ODD).to_csv(
            folder / f"{name}.tsv", sep="\t", index=False
        )
        config["tables"][name] = f"{name}.tsv"
    (folder / "config.yaml").write_text(yaml.safe_dump(config | {"title": ODD}))


def test_odd_words_are_planned(tmp_path):
    odd_words(tmp_path, datasets=["openmoji_1024", "openmoji_names"])
    done = snakemake(tmp_path, "--dry-run", "--quiet")
    assert done.returncode == 0, done.stderr


def rows_of(folder, rename):
    """What each rule that makes or runs something of a table is told of its row; rename: with odd labels and families."""
    folder.mkdir()
    odd_words(folder)
    if not rename:
        (folder / "config.yaml").write_text("{}")
    table = pd.read_csv(folder / "models.tsv", sep="\t", dtype=str, keep_default_na=False)
    table.assign(family="another", training="another").to_csv(folder / "models.tsv", sep="\t", index=False)
    named = {"model": "mobilenet-v2", "dataset": "openmoji_1024", "corpus": "web_bible"}
    with workflow([folder / "config.yaml"], folder) as read:
        return {
            rule.name: rule.params["row"](named) for rule in read.rules if "row" in dict(rule.params.items())
        }


def test_words_are_no_parameters_of_what_is_fetched_and_computed(tmp_path):
    """Other labels, families and licences run nothing again but what shows them."""
    before, after = rows_of(tmp_path / "before", False), rows_of(tmp_path / "after", True)
    assert {"fetch_vision_model", "fetch_dataset", "fetch_corpus", "extract_vision_features"} <= {*before}
    assert before == after
