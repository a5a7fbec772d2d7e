"""The configuration and its tables, read and checked before any job starts.

Whatever is wrong raises `InputError` with one line: the file, the key or row, and what to do.
"""

import csv
import fnmatch
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import yaml
from jsonschema import Draft202012Validator

from prh.alignment.catalogue import check_metric, parse_metric
from prh.errors import InputError
from prh.features.adapters import ADAPTERS
from prh.sources.registry import DATASETS

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
    config = {**config, **{key: _as_yaml(config[key], value) for key, value in (given or {}).items()}}
    for old, new in RENAMED.items():
        section, _, key = old.rpartition(".")
        place = config.get(section) if section else config
        if isinstance(place, dict) and key in place:
            raise InputError(f"{source}: key `{old}` is called `{new}` now; rename it")
    config = _with_defaults(_schema(schemas, "config"), config)
    _validate(_schema(schemas, "config"), config, source)
    tables = {}
    for name in TABLES:
        path = config["tables"][name]
        tables[name] = read_table(find(path), _schema(schemas, name), path)
    config["models"] = _with_sets_expanded(config["models"], tables["models"], source)
    configuration = Configuration(config=config, **tables)
    _check_kinds(configuration)
    _check_names(configuration, source)
    _check_metrics(configuration, source)
    _check_numbers(configuration, source)
    _check_density(configuration, source)
    _check_colours(configuration, find, source)
    _check_published(configuration, find, source)
    return configuration


def read_table(path, schema, source=None):
    """Rows of a tab-separated table by their first column, each checked against `schema`.

    Empty cells are left out (or get the schema's default); cells become the type that the schema asks for.
    """
    source = source or str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{source}: no such file; set the config's key `tables` to where it is") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    lines = list(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    if not lines:
        raise InputError(f"{source}: empty; its first line must name the columns")
    columns, rows = lines[0], {}
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{source}, line {number}"
        if len(cells) > len(columns):
            raise InputError(f"{where}: {len(cells)} cells, but the header names {len(columns)} columns")
        pairs = {column: cell.strip() for column, cell in zip(columns, cells, strict=False)}
        row = {column: _typed(schema, column, cell) for column, cell in pairs.items() if cell}
        row = _with_defaults(schema, row)
        _validate(schema, row, where)
        key = row[columns[0]]
        if key in rows:
            raise InputError(f"{where}: {columns[0]} `{key}` is in the table already; names must be unique")
        rows[key] = SimpleNamespace(**{column: row.get(column) for column in schema["properties"]})
    return rows


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


def _with_sets_expanded(names, rows, source):
    """The config's model names, `set:NAME` replaced by the rows that have NAME in their column `sets`."""
    found = []
    for name in names:
        members = [row.name for row in rows.values() if name.removeprefix("set:") in row.sets.split()]
        if name.startswith("set:") and not members:
            known = sorted({word for row in rows.values() for word in row.sets.split()})
            raise InputError(
                f"{source}: key `models`: no row of the model table is in `{name}`; sets there: "
                f"{', '.join(known) or 'none'}"
            )
        found += members if name.startswith("set:") else [name]
    return list(dict.fromkeys(found))


def _schema(folder, name):
    return yaml.safe_load((Path(folder) / f"{name}.schema.yaml").read_text())


def _with_defaults(schema, value):
    """`value` with the schema's defaults where a key is missing, one level into nested objects."""
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, sub in schema.get("properties", {}).items():
        if key not in filled and "default" in sub:
            filled[key] = sub["default"]
        if "object" in sub.get("type", ()) and isinstance(filled.get(key), dict):
            filled[key] = _with_defaults(sub, filled[key])
    return filled


def _typed(schema, column, cell):
    kind = schema["properties"].get(column, {}).get("type", "string")
    try:
        if kind == "integer":
            return int(cell)
        if kind == "number":
            return float(cell)
        if kind == "array":
            return [float(part) for part in cell.split(",")]
    except ValueError:
        return cell  # the schema then says what it should have been
    return cell


def _validate(schema, value, where):
    errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda e: [str(p) for p in e.path])
    if not errors:
        return
    error = errors[0]
    key = ".".join(str(part) for part in error.path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(set(error.instance) - set(known))
        path = ".".join(filter(None, [key, unknown[0]]))
        raise InputError(f"{where}: unknown key `{path}`; known here: {', '.join(known)}")
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))
        raise InputError(f"{where}: key `{'.'.join(filter(None, [key, missing[0]]))}` is missing")
    raise InputError(f"{where}: key `{key}`: {_reason(error)}")


def _reason(error):
    shown = repr(error.instance)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    words = {
        "type": f"{shown} is not of type {error.validator_value}",
        "enum": f"{shown} is not one of {', '.join(map(str, error.validator_value))}"
        if error.validator == "enum"
        else "",
        "minItems": f"{shown} has too few entries, at least {error.validator_value} needed",
        "uniqueItems": f"{shown} names something twice",
        "pattern": f"{shown} does not have the form {error.validator_value}",
    }
    return words.get(error.validator) or error.message


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
    for name in config["models"]:
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
