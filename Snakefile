# The Platonic Representation Hypothesis (Huh et al., ICML 2024), reproduced.
# Data and models -> features -> neighbours -> alignment -> tables -> figures and report. See README.md.

from os.path import exists
from pathlib import Path

from snakemake.dag import DAG
from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.20")


# The working directory's own configuration, or the one beside this file.
configfile: "config/config.yaml" if exists("config/config.yaml") else workflow.source_path("config/config.yaml")


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/tiles.smk"
include: "rules/tour.smk"
include: "rules/sources.smk"
include: "rules/features.smk"
include: "rules/neighbors.smk"
include: "rules/alignment.smk"
include: "rules/layers.smk"
include: "rules/performance.smk"
include: "rules/likelihoods.smk"
include: "rules/density.smk"
include: "rules/colour.smk"
include: "rules/gap.smk"
include: "rules/over_n.smk"
include: "rules/panel.smk"
include: "rules/transfer.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/audit.smk"
include: "rules/costs.smk"


# On a cluster these run where Snakemake runs; compute nodes often have no network.
localrules:
    all,
    tables,
    figures,
    fetch_package,
    fetch_hub_model,
    fetch_hub_dataset,
    fetch_hub_corpus,


rule all:
    """Everything: tables, figures and the report."""
    default_target: True
    input:
        rules.tables.input,
        rules.figures.input,
        "results/report/story.html",
        "results/report/page.html",


# What was imported, and what lacks only what it was made from, stays.
if workflow.is_main_process:
    keep(DAG, BASE)


# What a run says while it runs, and at the end.
LINES = Lines(workflow, logger, cost)


onstart:
    check_environment()


onsuccess:
    main_figure = f"figures/{drawn(DATASETS[0])[0]}.pdf"
    LINES.done(
        [
            (main_figure, "the main figure"),
            ("results/report/page.html", "the page of the run: scores, layers, neighbours"),
            ("results/report/story.html", "the story of the run"),
            ("results/tables/alignment.csv", "every score"),
        ]
    )


onerror:
    LINES.failed()
