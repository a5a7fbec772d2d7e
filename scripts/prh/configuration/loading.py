"""The configuration and its tables, read and checked before any job starts.

Whatever is wrong raises `InputError` with one line: the file, the key or row, and what to do.
"""

from dataclasses import dataclass, field, replace

from prh.alignment.catalogue import parse_metric
from prh.configuration.checks import check
from prh.configuration.schema import as_yaml, read_schema, validate, with_defaults
from prh.configuration.sizes import check_sizes, count_items, fit
from prh.configuration.tables import (
    look_again,
    packages_of,
    read_published,
    read_table,
    size_by_path,
    with_sets_expanded,
)
from prh.errors import InputError
from prh.features.adapters import ADAPTERS, ANY
from prh.sources.model_files import Size
from prh.sources.registry import AT_MOST, LABELLING

TABLES = ("packages", "datasets", "models", "corpora")
OF_SINGLE_FIGURES = ("transfer", "caption_density", "colour_geometry", "modality_gap")  # null: not drawn
PUBLISHED = (
    "bits per byte (captions)"  # the quantity that stands in for bits per byte of models that are not run
)
OF_SCORED = ("captions", "tasks", "likelihoods")  # keys of `performance` for models that have bits per byte
RENAMED = {  # keys of earlier versions
    "exchange": "crate",
    "statistics": "intervals",
    "features.language_batch": "features.batch_tokens",
    "features.vision_batch": "features.batch_images",
}
USUAL_SIZE = Size(parameters=10**9, layers=25, width=1024)  # taken where neither row nor files say it


@dataclass(frozen=True)
class Configuration:
    """The checked configuration; rows of the tables by name, chosen models and data sets in the config's order.

    sizes: items of each data set asked for, None where they are not known yet. fitted: what was left out or lowered for few
    items, in words, or "". published: bits per byte that stand in for those of models that are not run, by model.
    """

    config: dict
    packages: dict
    datasets: dict
    models: dict
    corpora: dict
    sizes: dict = field(default_factory=dict)
    fitted: str = ""
    published: dict = field(default_factory=dict)

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
        return [
            n for n in self.panel if n not in self.config["models"] and not _from_elsewhere(self.models[n])
        ]

    def asked(self, table):
        """Names asked of a table, by the config's first keys and by single figures; of models, but the small ones of the panel."""
        names = [*self.config[table]]
        transfer, density, colours, gap = (self.config[key] or {} for key in OF_SINGLE_FIGURES)
        if table == "models":
            names += [name for name in self.panel if name not in self.small]
            names += [*colours.get("models", []), density.get("summariser"), *gap.get("models", [])]
        else:
            names += [
                transfer.get("images"),
                *transfer.get("tasks", []),
                density.get("data"),
                colours.get("data"),
                gap.get("data"),
                *self.data_over_n(),
            ]
        return [name for name in dict.fromkeys(names) if name]

    def pairs_over_n(self):
        """The pairs of models of the figure over n: those of which the run has both; none if it is off."""
        over = self.config["alignment_over_n"]
        return [pair for pair in over["pairs"] if {*pair} <= {*self.config["models"]}] if over else []

    def data_over_n(self):
        """The data set of that figure, in a list; none if there is no pair."""
        over = self.config["alignment_over_n"]
        return [over["data"] or self.config["datasets"][0]] if self.pairs_over_n() else []

    def across(self):
        """Whether the run has pairs of a language with a vision model."""
        return bool(self.chosen("language") and self.chosen("vision"))

    def all_models(self):
        """Names of all models asked for, the small ones of the panel last."""
        return list(dict.fromkeys([*self.asked("models"), *self.small]))

    def scored(self):
        """Names of the chosen models that have bits per byte."""
        return [name for name in self.chosen() if ADAPTERS[self.models[name].type].scored]

    def unscored(self):
        """Names of the chosen language models that are not run, and whose bits per byte are published ones."""
        return [
            name for name in self.chosen("language") if name in self.published and name not in self.scored()
        ]

    def lacking(self):
        """What the configuration asks for and models of these kinds cannot give, in one line; "" if there is nothing."""
        kinds = {"language model": self.chosen("language"), "vision model": self.chosen("vision")}
        kinds["causal language model"] = self.scored() or self.unscored() or not kinds["language model"]
        absent = [kind for kind, there in kinds.items() if not there]
        performance = self.config["performance"]
        unscored = ["bits per byte", *(f"`performance.{key}`" for key in OF_SCORED if performance[key])]
        out = [] if self.scored() else unscored[bool(self.unscored()) :]
        out += ["alignment over performance"] if absent else []
        out += ["`caption_density`"] if self.config["caption_density"] and not self.across() else []
        out += ["`figures.downstream_vision`"] * bool(
            self.config["figures"]["downstream_vision"] and not self.across()
        )
        return f"Left out, since the run has no {' and no '.join(absent)}: {', '.join(out)}." if out else ""

    def shards(self, dataset):
        """In how many shards the features of a data set are extracted; 0: whole."""
        n, most = self.sizes[dataset], self.config["features"]["items_per_shard"]
        known = n is not None and self.datasets[dataset].source not in AT_MOST
        return -(-n // most) if most and known and n > most else 0

    def by_item(self):
        """Names of the models asked for that can take a data set in shards."""
        return [name for name in self.asked("models") if ADAPTERS[self.models[name].type].by_item]

    def run_in(self, environment):
        """Names of the models asked for that run in an environment, by their adapters."""
        names = self.asked("models")
        return [name for name in names if ADAPTERS[self.models[name].type].environment == environment]

    def from_hub(self, table, hub=True):
        """Names chosen of a table whose rows do, or do not, have a repository on the hub."""
        names = [self.config["performance"]["corpus"]] if table == "corpora" else self.asked(table)
        return [name for name in names if bool(getattr(self, table)[name].repo) is hub]

    def made_by(self, maker):
        """Names of the chosen models that come from the hub ("hub"), by a path ("local"), or out of packages in an environment."""
        origin = {"hub": "repo", "local": "path"}.get(maker)
        if origin:
            return [name for name in self.asked("models") if getattr(self.models[name], origin)]
        return [name for name in self.run_in(maker) if not _from_elsewhere(self.models[name])]

    def size(self, model):
        """A model's `Size` for what jobs ask for: its row's, or what its files say, or the usual one; not to be relied upon."""
        row = self.models[model]
        said = size_by_path(row)
        layers = row.layers or said.layers or USUAL_SIZE.layers
        width = row.width or said.width or USUAL_SIZE.width
        usual = 12 * layers * width**2 if row.layers and row.width else USUAL_SIZE.parameters
        return Size(row.parameters or said.parameters or usual, layers, width)

    def needed_by(self):
        """Per package, the chosen data sets, models and text that come out of it, or the key of the figure that takes it."""
        found = {name: [] for name in self.packages}
        for table in ("datasets", "models", "corpora"):
            for name in [*self.from_hub(table, hub=False), *(self.small if table == "models" else [])]:
                for package in packages_of(getattr(self, table)[name], self.packages):
                    found[package].append(name)
        colours, transfer = (self.config[key] or {} for key in ("colour_geometry", "transfer"))
        for package in [colours["text"]] if colours else []:
            found[package].append("colour_geometry")
        drawings = any(self.datasets[name].source == "openmoji" for name in transfer.get("tasks", []))
        for package in LABELLING if drawings else ():
            found[package].append("transfer")
        return found

    def licences(self):
        """[kind, name, licence] of all that the run takes from outside, as the tables say it now."""
        found = []
        for kind, table in (("data set", "datasets"), ("model", "models"), ("text", "corpora")):
            names = [*self.from_hub(table, hub=True), *self.from_hub(table, hub=False)]
            for name in sorted({*names, *(self.small if table == "models" else [])}):
                found.append([kind, name, getattr(self, table)[name].licence or "not stated"])
        used = sorted(name for name, by in self.needed_by().items() if by)
        return found + [["package", name, self.packages[name].licence or "not stated"] for name in used]

    def settings(self, model):
        """The keys of the config's `features` that a model's adapter takes, and what its row says instead."""
        row = self.models[model]
        found = {key: self.config["features"][key] for key in ADAPTERS[row.type].settings}
        return found | ({"pooling": row.pooling} if row.pooling else {})

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
    look_again()
    tables = {}
    for name in TABLES:
        path = config["tables"][name]
        tables[name] = read_table(find(path), read_schema(schemas, name), path)
    for row in tables["models"].values():
        _complete(row, config["features"]["folder"])
    config["models"] = with_sets_expanded(config["models"], tables["models"], f"{source}: key `models`")
    _leave_out(config)
    for figure in filter(config.get, OF_SINGLE_FIGURES):
        config[figure]["models"] = with_sets_expanded(
            config[figure]["models"],
            tables["models"],
            f"{source}: key `{figure}.models`",
            "; name others, or set the whole key to null",
        )
    configuration = Configuration(config=config, **tables, published=_published(config, find, source))
    check(configuration, find, source)
    sizes = count_items(configuration.datasets, configuration.asked("datasets"))
    for name in sizes:  # for its record, which tells it where the folder is not
        configuration.datasets[name].size = sizes[name]
    fitted = fit(config, configuration.datasets, sizes, source)
    check_sizes(configuration, sizes, source)
    return replace(configuration, sizes=sizes, fitted=fitted)


def _published(config, find, source):
    """Published bits per byte by model, of the table that the config names, if it names one."""
    path = config["performance"]["published_bits"]
    if path is None:
        return {}
    return read_published(find(path), PUBLISHED, f"{source}: key `performance.published_bits`: {path}")


def _from_elsewhere(row):
    """Whether a model comes by a path or from the hub."""
    return bool(row.repo or row.path)


def _complete(row, folder):
    """What a model's row leaves out and follows from the rest of it, and of the config: label, family, modality, where features lie."""
    if folder and row.type == "features" and row.path and "/" not in row.path:
        row.path = f"{folder}/{row.path}"
    row.label = row.label or row.name
    row.family = row.family or row.label
    if row.type in ADAPTERS:
        goes_in = ADAPTERS[row.type].modality
        row.modality = row.modality or (goes_in if goes_in != ANY else None)


def _leave_out(config):
    """A figure whose data are not named yet is off, as without its section."""
    if config["transfer"] and config["transfer"]["images"] is None:
        config["transfer"] = None
    if (
        config["caption_density"]
        and config["caption_density"]["summariser"]
        and not config["caption_density"]["data"]
    ):
        config["caption_density"] = None
