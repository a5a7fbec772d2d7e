"""The configuration and its tables, read and checked before any job starts.

Whatever is wrong raises `InputError` with one line: the file, the key or row, and what to do.
"""

from dataclasses import dataclass

from prh.alignment.catalogue import parse_metric
from prh.configuration.checks import check
from prh.configuration.schema import as_yaml, read_schema, validate, with_defaults
from prh.configuration.tables import packages_of, read_table, with_sets_expanded
from prh.errors import InputError
from prh.features.adapters import ADAPTERS

TABLES = ("packages", "datasets", "models", "corpora")
RENAMED = {  # keys of earlier versions
    "exchange": "crate",
    "statistics": "intervals",
    "features.language_batch": "features.batch_tokens",
    "features.vision_batch": "features.batch_images",
}


@dataclass(frozen=True)
class Configuration:
    """The checked configuration; rows of the tables by name, chosen models and data sets in the config's order."""

    config: dict
    packages: dict
    datasets: dict
    models: dict
    corpora: dict

    def chosen(self, modality=None):
        """Names of the chosen models, in the config's order, optionally of one modality."""
        return [name for name in self.config["models"] if modality in (None, self.models[name].modality)]

    def scored(self):
        """Names of the chosen models that have bits per byte."""
        return [name for name in self.chosen() if ADAPTERS[self.models[name].type].scored]

    def run_in(self, environment):
        """Names of the chosen models that run in an environment, by their adapters."""
        return [name for name in self.chosen() if ADAPTERS[self.models[name].type].environment == environment]

    def from_hub(self, table, hub=True):
        """Names chosen of a table whose rows do, or do not, have a repository on the hub."""
        names = [self.config["performance"]["corpus"]] if table == "corpora" else self.config[table]
        return [name for name in names if bool(getattr(self, table)[name].repo) is hub]

    def made_by(self, maker):
        """Names of the chosen models that the hub, or an environment out of packages, makes ready."""
        return [
            name
            for name in self.from_hub("models", maker == "hub")
            if maker == "hub" or name in self.run_in(maker)
        ]

    def needed_by(self):
        """Per package, the chosen data sets, models and text that come out of it."""
        found = {name: [] for name in self.packages}
        for table in ("datasets", "models", "corpora"):
            for name in self.from_hub(table, hub=False):
                for package in packages_of(getattr(self, table)[name], self.packages):
                    found[package].append(name)
        return found

    def settings(self, model):
        """The keys of the config's `features` that a model's adapter takes."""
        return {key: self.config["features"][key] for key in ADAPTERS[self.models[model].type].settings}

    def weights(self, model):
        """How a model's weights are loaded, where its row says so: type, quantisation."""
        row = self.models[model]
        return {column: getattr(row, column) for column in ("dtype", "quantisation") if getattr(row, column)}

    def metrics(self, section):
        """Metrics of a section, each with its numbers of neighbours, [None] if it has none."""
        found = {}
        for name in self.config[section]["metrics"]:
            metric, k = parse_metric(name)
            found.setdefault(metric, []).append(k)
        return found


def load(config, schemas, find, source="config/config.yaml", given=None):
    """Check `config`, fill in its defaults and read the tables that it names.

    Parameters
    ----------
    config: the mapping as read from YAML.
    schemas: folder with `config.schema.yaml` and one `<table>.schema.yaml` per table.
    find: function from a path in the config to the path to open.
    source: the config's own name, for messages.
    given: what the command line laid over it, as Snakemake read that: texts within brackets and braces are still texts.

    Raises
    ------
    InputError: unknown key, wrong type, name that is in no table, duplicate row, licence not accepted, ...

    """
    config = {**config, **{key: as_yaml(config[key], value) for key, value in (given or {}).items()}}
    for old, new in RENAMED.items():
        section, _, key = old.rpartition(".")
        place = config.get(section) if section else config
        if isinstance(place, dict) and key in place:
            raise InputError(f"{source}: key `{old}` is called `{new}` now; rename it")
    config = with_defaults(read_schema(schemas, "config"), config)
    validate(read_schema(schemas, "config"), config, source)
    tables = {}
    for name in TABLES:
        path = config["tables"][name]
        tables[name] = read_table(find(path), read_schema(schemas, name), path)
    config["models"] = with_sets_expanded(config["models"], tables["models"], source)
    configuration = Configuration(config=config, **tables)
    check(configuration, find, source)
    return configuration
