"""The configuration and its tables, read and checked before any job starts.

Whatever is wrong raises `InputError` with one line: the file, the key or row, and what to do.
"""

import fnmatch
from dataclasses import dataclass
from pathlib import Path

import yaml

from prh.alignment.catalogue import check_metric, parse_metric
from prh.errors import InputError
from prh.features import panel
from prh.features.adapters import ADAPTERS
from prh.sources.registry import DATASETS
from prh.sources.schemas import read_table, schema_of, validate, with_defaults

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

    @property
    def panel(self):
        """Names of the vision models of figure 2, in the config's order; none if it is off."""
        transfer = self.config["transfer"]
        return transfer["models"] if transfer else []

    @property
    def small(self):
        """Those of the panel that come in packages and are in no other figure: one job makes them all ready, another runs them."""
        return [n for n in self.panel if n not in self.config["models"] and not self.models[n].repo]

    def asked(self, table):
        """Names asked of a table, by the config's first keys and by figure 2; of models, but the small ones of its panel."""
        transfer, names = self.config["transfer"], [*self.config[table]]
        if table == "models":
            names += [name for name in self.panel if name not in self.small]
        elif transfer:
            names += [transfer["images"], *transfer["tasks"]]
        return list(dict.fromkeys(names))

    def scored(self):
        """Names of the chosen models that have bits per byte."""
        return [name for name in self.chosen() if ADAPTERS[self.models[name].type].scored]

    def run_in(self, environment):
        """Names of the models asked for that run in an environment, by their adapters."""
        names = self.asked("models")
        return [name for name in names if ADAPTERS[self.models[name].type].environment == environment]

    def from_hub(self, table, hub=True):
        """Names chosen of a table whose rows do, or do not, have a repository on the hub."""
        names = [self.config["performance"]["corpus"]] if table == "corpora" else self.asked(table)
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
            for name in [*self.from_hub(table, hub=False), *(self.small if table == "models" else [])]:
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
    config = {**config, **{key: _as_yaml(config[key], value) for key, value in (given or {}).items()}}
    for old, new in RENAMED.items():
        section, _, key = old.rpartition(".")
        place = config.get(section) if section else config
        if isinstance(place, dict) and key in place:
            raise InputError(f"{source}: key `{old}` is called `{new}` now; rename it")
    config = with_defaults(schema_of(schemas, "config"), config)
    validate(schema_of(schemas, "config"), config, source)
    tables = {}
    for name in TABLES:
        path = config["tables"][name]
        tables[name] = read_table(find(path), schema_of(schemas, name), path)
    config["models"] = _with_sets_expanded(config["models"], tables["models"], f"{source}: key `models`")
    if config["transfer"] and config["transfer"]["images"] is None:
        config["transfer"] = None  # off, as without the section
    if config["transfer"]:
        names = config["transfer"]["models"]
        where = f"{source}: key `transfer.models`"
        config["transfer"]["models"] = _with_sets_expanded(names, tables["models"], where)
        panel.check(config, tables["models"], tables["datasets"], source)
    configuration = Configuration(config=config, **tables)
    _check_kinds(configuration)
    _check_names(configuration, source)
    _check_metrics(configuration, source)
    _check_numbers(configuration, source)
    _check_density(configuration, source)
    _check_colours(configuration, find, source)
    _check_published(configuration, find, source)
    return configuration


def packages_of(row, packages, source="config"):
    """Names of the packages that a table's row asks for, in its order; `*` takes all that match, in table order."""
    names = []
    for pattern in (row.packages or "").split():
        exact = [pattern] if pattern in packages else []
        matching = exact or [name for name in packages if fnmatch.fnmatchcase(name, pattern)]
        if not matching:
            raise InputError(
                f"{source}: `{row.name}` needs package `{pattern}`, which is not in the package table"
            )
        names += matching
    return names


def revision_of(row, packages, source="config"):
    """What pins a table's row: its packages with their versions, or its repository's revision."""
    if row.repo:
        return row.revision or "main"
    return ", ".join(f"{name}=={packages[name].version}" for name in packages_of(row, packages, source))


def _as_yaml(value, given, nested=False):
    """`value` with the texts within what the command line gave read as YAML reads them: numbers, true, null.

    Snakemake reads what stands by itself, and leaves texts within brackets and braces as they are.
    """
    if isinstance(given, dict) and isinstance(value, dict):
        return {**value, **{key: _as_yaml(value[key], part, True) for key, part in given.items()}}
    if isinstance(given, list) and isinstance(value, list):
        return [_as_yaml(*parts, True) for parts in zip(value, given, strict=True)]
    if not (nested and isinstance(given, str)):
        return value
    try:
        found = yaml.safe_load(given)
    except yaml.YAMLError:  # a text such as `a: b: c`
        return value
    return found if found is None or isinstance(found, bool | int | float) else value


def _with_sets_expanded(names, rows, where):
    """The config's model names, `set:NAME` replaced by the rows that have NAME in their column `sets`."""
    found = []
    for name in names:
        members = [row.name for row in rows.values() if name.removeprefix("set:") in row.sets.split()]
        if name.startswith("set:") and not members:
            known = sorted({word for row in rows.values() for word in row.sets.split()})
            raise InputError(
                f"{where}: no row of the model table is in `{name}`; sets there: {', '.join(known) or 'none'}"
            )
        found += members if name.startswith("set:") else [name]
    return list(dict.fromkeys(found))


def _check_kinds(configuration):
    """Each model's type is an adapter's and each data set's source is known, with the columns that these need."""
    tables = configuration.config["tables"]
    for row in configuration.datasets.values():
        if row.source not in DATASETS:
            where = f"{tables['datasets']}, row `{row.name}`: key `source`"
            raise InputError(f"{where}: `{row.source}` is not one of {', '.join(DATASETS)}")
    for row in configuration.models.values():
        where = f"{tables['models']}, row `{row.name}`: key"
        adapter = ADAPTERS.get(row.type)
        if adapter is None or adapter.modality != row.modality:
            known = ", ".join(name for name, kind in ADAPTERS.items() if kind.modality == row.modality)
            raise InputError(
                f"{where} `type`: `{row.type}` is not one of {known}, which are for {row.modality}"
            )
        if not (adapter.on_hub if row.repo else adapter.packaged):
            place = "the hub" if row.repo else "packages"
            raise InputError(f"{where} `type`: models of type `{row.type}` cannot come from {place}")
        missing = [column for column in adapter.needs if not getattr(row, column)]
        if missing:
            raise InputError(f"{where} `{missing[0]}` is missing; models of type `{row.type}` need it")


def _check_names(configuration, source):
    config = configuration.config
    tables = config["tables"]
    wanted = [("datasets", name) for name in config["datasets"]]
    wanted += [("models", name) for name in config["models"]]
    wanted += [("corpora", config["performance"]["corpus"])]
    for table, name in wanted:
        rows = getattr(configuration, table)
        if name not in rows:
            key = "performance.corpus" if table == "corpora" else table
            raise InputError(
                f"{source}: key `{key}`: `{name}` is not in {tables[table]}, which has: {', '.join(rows)}"
            )
        packages_of(rows[name], configuration.packages, tables[table])
    for name in [*config["models"], *configuration.panel]:
        word = configuration.models[name].must_accept
        if word and word not in config["accepted_licences"]:
            raise InputError(
                f"{source}: key `models`: `{name}` is under `{configuration.models[name].licence}`; read it, then "
                f"add `{word}` to `accepted_licences`"
            )
    for pair in config["figures"]["layer_pairs"]:
        for name in pair:
            if name not in config["models"]:
                raise InputError(
                    f"{source}: key `figures.layer_pairs`: `{name}` is not among the config's models"
                )
    vision = config["figures"]["downstream_vision"]
    if vision is not None and vision not in configuration.chosen("vision"):
        raise InputError(
            f"{source}: key `figures.downstream_vision`: `{vision}` is not among the config's vision models"
        )
    for modality in ("language", "vision"):
        if not configuration.chosen(modality):
            raise InputError(f"{source}: key `models`: at least one {modality} model is needed")


def _check_density(configuration, source):
    density = configuration.config["caption_density"]
    if density is None:
        return
    where = f"{source}: key `caption_density"
    for name in density["models"]:
        if name not in configuration.models:
            raise InputError(
                f"{where}.models`: `{name}` is not in {configuration.config['tables']['models']}; name others, "
                "or set the whole key to null"
            )
    levels = density["levels"]
    if levels != sorted(set(levels)):
        raise InputError(f"{where}.levels`: {levels}: each must have more keywords than the one before")
    if density["items"] and density["k"] > density["items"] - 2:
        raise InputError(
            f"{where}.k`: {density['k']} neighbours need at least {density['k'] + 2} of the {density['items']} items"
        )


def _check_colours(configuration, find, source):
    colours = configuration.config["colour_geometry"]
    if colours is None:
        return
    where, table = f"{source}: key `colour_geometry", configuration.config["tables"]["colours"]
    for name in colours["models"]:
        if name not in configuration.models:
            raise InputError(
                f"{where}.models`: `{name}` is not in {configuration.config['tables']['models']}; name others, "
                "or set the whole key to null"
            )
    if colours["text"] not in configuration.packages:
        raise InputError(
            f"{where}.text`: `{colours['text']}` is not in {configuration.config['tables']['packages']}; add it, or "
            "set the whole key to null"
        )
    if not Path(find(table)).is_file():
        raise InputError(f"{source}: key `tables.colours`: {table}: no such file; correct it")
    lines = Path(find(table)).read_text(encoding="utf-8").splitlines()[1:]
    known = sorted({name for line in lines for name in line.split("\t")[-1].split()})
    if colours["words"] not in known:
        raise InputError(
            f"{where}.words`: `{colours['words']}` is no set of {table}, which has: {', '.join(known)}"
        )


def _check_published(configuration, find, source):
    for section in ("performance", "figures"):
        path = configuration.config[section]["published"]
        if path is not None and not Path(find(path)).is_file():
            raise InputError(
                f"{source}: key `{section}.published`: {path}: no such file; correct it, or null"
            )


def _check_metrics(configuration, source):
    config = configuration.config
    for section in ("alignment", "calibration"):
        for name in config[section]["metrics"]:
            key = f"{source}: key `{section}.metrics`: `{name}`"
            try:
                spec = check_metric(*parse_metric(name))
            except InputError as error:
                raise InputError(f"{key}: {error}") from None
            if section == "calibration" and name not in config["alignment"]["metrics"]:
                raise InputError(f"{key} is not among `alignment.metrics`; add it there or take it out here")
            if section == "calibration" and not spec.cheap_null:
                raise InputError(f"{key} cannot be calibrated; leave it out")


def _check_numbers(configuration, source):
    config = configuration.config
    largest = max(parse_metric(name)[1] or 2 for name in config["alignment"]["metrics"])
    for name in config["datasets"]:
        size = configuration.datasets[name].size
        if size is not None and largest > size - 2:
            raise InputError(
                f"{source}: key `alignment.metrics`: {largest} neighbours need at least {largest + 2} pairs, "
                f"but data set `{name}` has {size}"
            )
    performance = config["performance"]
    if performance["stride"] >= performance["window"]:
        raise InputError(
            f"{source}: key `performance.stride`: {performance['stride']} must be less than the window "
            f"({performance['window']})"
        )
