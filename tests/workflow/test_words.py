"""Labels and titles with signs that mean something to Snakemake, Jinja, matplotlib or HTML: planned as any others."""

import pandas as pd
import yaml

from helpers.project import ROOT, snakemake

ODD = "R$^{2}$ {English} {{x}} _of_ <b> 100 % *x* ` {% if %}"


def odd_words(folder, **changes):
    """A configuration in a folder whose title, and every label of its tables, has such signs."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | changes
    for name in ("models", "datasets", "corpora"):
        table = pd.read_csv(ROOT / config["tables"][name], sep="\t", dtype=str, keep_default_na=False)
        table.assign(label=ODD + " " + table.label).to_csv(folder / f"{name}.tsv", sep="\t", index=False)
        config["tables"][name] = f"{name}.tsv"
    (folder / "config.yaml").write_text(yaml.safe_dump(config | {"title": ODD}))


def test_odd_words_are_planned(tmp_path):
    odd_words(tmp_path, datasets=["openmoji_1024", "openmoji_names"])
    done = snakemake(tmp_path, "--dry-run", "--quiet")
    assert done.returncode == 0, done.stderr
