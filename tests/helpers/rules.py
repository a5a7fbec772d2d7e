"""The rules of the workflow as Snakemake has read them, for both sizes of it: no test reads them as text."""

import os
import re
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
    WorkflowSettings,
)

from helpers.project import ROOT


class Rule(NamedTuple):
    """A rule; script and environment by their names, paths with bare wildcards."""

    name: str
    docstring: str | None
    script: str | None
    environment: str | None
    outputs: list
    params: dict
    log: list
    benchmark: str | None
    message: str | None


@contextmanager
def opened(configfiles=(), folder=None, cores=2):
    """The workflow in Snakemake's interface, read in a working directory."""
    settings = {
        "resource_settings": ResourceSettings(cores=cores),
        "config_settings": ConfigSettings(configfiles=[Path(path) for path in configfiles]),
        "workflow_settings": WorkflowSettings(),
        "snakefile": ROOT / "Snakefile",
        "workdir": Path(folder) if folder else ROOT,
    }
    kept = Path.cwd()
    try:
        with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
            yield api.workflow(**settings)
    finally:
        os.chdir(kept)


@contextmanager
def workflow(configfiles=(), folder=None):
    """Snakemake's own workflow object, read in a working directory."""
    with opened(configfiles, folder) as found:
        yield found._workflow


def variables(*names, configfiles=()):
    """Global variables of the rules, by name."""
    with workflow(configfiles) as found:
        return [found.globals[name] for name in names]


@cache
def rules(*configfiles):
    """All rules by name, of the default configuration or with other files laid over it."""
    with workflow(configfiles) as found:
        return {rule.name: _facts(rule) for rule in found.rules}


def all_rules():
    """All rules by name, of both sizes, and with the figures of the paper's that want images got by hand."""
    paper = ROOT / "config" / "paper.yaml"
    return rules() | rules(paper) | rules(paper, ROOT / "tests" / "data" / "paper_full.yaml")


def outputs():
    """The paths that all rules make, of both sizes, with their wildcards in braces; of a figure, its CSV file."""
    return [
        path for rule in all_rules().values() for path in rule.outputs if not path.endswith((".pdf", ".png"))
    ]


def _bare(path):
    """A path whose wildcards have lost their constraints."""
    return re.sub(r"\{(\w+),[^/]*?\}(?=[/.]|\w|$)", r"{\1}", str(path).replace("{folder,()}", ""))


def _facts(rule):
    return Rule(
        rule.name,
        rule.docstring,
        Path(str(rule.script).format(params=rule.params)).stem if rule.script else None,
        Path(str(rule._conda_env)).stem if rule.conda_env else None,
        [_bare(path) for path in rule.output],
        dict(rule.params.items()),
        [_bare(path) for path in rule.log],
        _bare(rule.benchmark) if rule.benchmark else None,
        rule.message,
    )
