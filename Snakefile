# The Platonic Representation Hypothesis (Huh et al., ICML 2024), reproduced.
# Data and models -> features -> neighbours -> alignment -> tables -> figures and report. See README.md.

from os.path import exists

from snakemake.utils import min_version

min_version("9.20")


# The working directory's own configuration, or the one beside this file.
configfile: "config/config.yaml" if exists("config/config.yaml") else workflow.source_path("config/config.yaml")


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/shown.smk"
include: "rules/data.smk"
include: "rules/features.smk"
include: "rules/alignment.smk"
include: "rules/performance.smk"
include: "rules/figures.smk"
include: "rules/paper.smk"
include: "rules/report.smk"
include: "rules/page.smk"
include: "rules/audit.smk"
include: "rules/exchange.smk"
include: "rules/progress.smk"


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
        "results/report/report.html",
        "results/report/index.html",
