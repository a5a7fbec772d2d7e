"""Configurations as the workflow reads them."""

import copy

from helpers.project import ROOT
from prh.configuration import loading

SCHEMAS = ROOT / "config" / "schemas"


def load(config, **options):
    """Check a configuration, which stays as it is, and read its tables."""
    return loading.load(copy.deepcopy(config), SCHEMAS, lambda path: ROOT / path, **options)


def laid_over(config, over):
    """As Snakemake lays one configuration over another: mappings merge, everything else is replaced."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            laid_over(config[key], value)
        else:
            config[key] = value
    return config
