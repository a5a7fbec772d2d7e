"""What keys and tables must be to each other, which no schema can say."""

import itertools
import re
from pathlib import Path

from prh.alignment.catalogue import check_metric, parse_metric
from prh.configuration.official import OFFICIAL, check_official
from prh.configuration.tables import files_of, packages_of, record_instead, size_by_path
from prh.errors import InputError, about
from prh.features.adapters import ADAPTERS, TRAINED
from prh.sources.registry import DATASETS, WITH_CAPTIONS

FEWEST_COMPARED, FEWEST_IN_PANEL = 2, 4
REPOSITORY = re.compile(r"[^/ @.~][^/ @]*(/[^/ @]+)?")
ORIGINS = ("packages", "path", "repo")  # of a model: a row has one of them


def check(configuration, find, source):
    """Raise `InputError` with the first thing that does not go together."""
    _check_kinds(configuration)
    _check_names(configuration, source)
    _check_metrics(configuration, source)
    _check_numbers(configuration, source)
    _check_density(configuration, source)
    _check_colours(configuration, find, source)
    _check_transfer(configuration, source)
    _check_gap(configuration, source)
    _check_over_n(configuration, source)
    _check_paths(configuration, find)  # after all that names models
    _check_widths(configuration)
    _check_bits(configuration, source)
    _check_licences(configuration, source)
    _check_published(configuration, find, source)


def _check_kinds(configuration):
    """Each model's type is an adapter's and each data set's source is known, with the columns that these need."""
    tables = configuration.config["tables"]
    for row in configuration.datasets.values():
        if row.source not in DATASETS:
            where = f"{tables['datasets']}, row `{row.name}`: key `source`"
            raise InputError(f"{where}: `{row.source}` is not one of {', '.join(DATASETS)}")
        where = f"{tables['datasets']}, row `{row.name}`: key `captions`"
        if row.captions and row.caption_index is not None:
            raise InputError(
                f"{where}: `caption_index` names one of the texts already; leave one of the two empty"
            )
        if row.captions and row.source not in WITH_CAPTIONS:
            raise InputError(f"{where}: is for the sources {', '.join(WITH_CAPTIONS)} only; leave it empty")
        if row.take and (row.source != "hub" or row.size is None):
            raise InputError(
                f"{tables['datasets']}, row `{row.name}`: key `take`: is for the source hub, with a `size`; leave it empty"
            )
    for row in configuration.models.values():
        where = f"{tables['models']}, row `{row.name}`: key"
        adapter = ADAPTERS.get(row.type)
        if adapter is None or (row.modality and row.modality not in adapter.modalities):
            known = ", ".join(name for name, kind in ADAPTERS.items() if row.modality in kind.modalities)
            raise InputError(
                f"{where} `type`: `{row.type}` is not one of {known}, which are for {row.modality}"
            )
        _check_origin(row, f"{tables['models']}, row `{row.name}`")
        taken, place = adapter.packaged, "from packages"
        if row.repo or row.path:
            taken, place = (adapter.on_hub, "from the hub") if row.repo else (adapter.layouts, "by a path")
        if not taken:
            raise InputError(f"{where} `type`: models of type `{row.type}` cannot come {place}")
        if row.pooling and row.pooling not in adapter.pooling:
            known = f"takes {', '.join(adapter.pooling)}" if adapter.pooling else "takes none"
            raise InputError(f"{where} `pooling`: `{row.pooling}`: the type `{row.type}` {known}")
        missing = [column for column in adapter.needs if not getattr(row, column)]
        if missing:
            raise InputError(f"{where} `{missing[0]}` is missing; models of type `{row.type}` need it")


def _check_origin(row, where):
    """A model comes from one place, and a folder that is here is no repository."""
    given = [column for column in ORIGINS if getattr(row, column)]
    if row.type not in TRAINED and len(given) != 1:
        has = " and ".join(f"`{column}`" for column in given) or "none of them"
        raise InputError(
            f"{where}: has {has}; exactly one of {', '.join(ORIGINS)} says where a model comes from"
        )
    if row.repo and Path(row.repo).expanduser().is_dir():
        raise InputError(
            f"{where}: key `repo`: `{row.repo}` is a folder here; name it in the column `path`, which never asks the hub"
        )
    if row.repo and not REPOSITORY.fullmatch(row.repo):
        raise InputError(
            f"{where}: key `repo`: `{row.repo}` is no ORGANISATION/NAME of the hub, and no folder here; correct it"
        )


def _check_paths(configuration, find):
    """The models that are asked for by a path are there, with weights of a layout that their type takes; features of the authors' are theirs."""
    for name in configuration.all_models():
        row = configuration.models[name]
        if not row.path or record_instead(row):
            continue
        where = f"{configuration.config['tables']['models']}, row `{name}`"
        with about(f"{where}: key `path`"):
            files = files_of(row.path)
            takes = ADAPTERS[row.type].layouts
            if files.layout not in takes:
                raise InputError(
                    f"`{row.path}` is of the layout {files.layout}, the type `{row.type}` takes {' or '.join(takes)}; correct the type"
                )
            configuration.size(name)  # its weights can be opened
            if files.layout == "features":
                check_official(files, find(OFFICIAL), row)


def _check_widths(configuration):
    """Distances of language models of one family take their exact width, which no job reads again."""
    if not configuration.config["performance"]["likelihoods"]:
        return
    rows = [configuration.models[name] for name in configuration.scored()]
    families = [row.family for row in rows]
    for row in rows:
        if families.count(row.family) > 1 and not (row.width or size_by_path(row).width):
            raise InputError(
                f"{configuration.config['tables']['models']}, row `{row.name}`: key `width` is missing; another model is of its "
                "family, and distances between them need it"
            )


def _check_bits(configuration, source):
    """Bits per byte of one run are of one text: measured, or published ones of the captions."""
    measured, published = configuration.scored(), configuration.unscored()
    if measured and published:
        raise InputError(
            f"{source}: key `performance.published_bits`: `{published[0]}` would have published bits per byte of captions, `{measured[0]}` "
            f"measured ones of `{configuration.config['performance']['corpus']}`; set it to null, or leave one of the two out"
        )


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
    for pair in config["figures"]["layer_pairs"]:
        for name in pair:
            if name not in config["models"]:
                raise InputError(
                    f"{source}: key `figures.layer_pairs`: `{name}` is not among the config's models"
                )
    edges = config["figures"]["distance_windows"]
    if edges != sorted(set(edges)):
        raise InputError(
            f"{source}: key `figures.distance_windows`: {edges}: each must be higher than the one before"
        )
    vision = config["figures"]["downstream_vision"]
    if vision is not None and vision not in configuration.chosen("vision"):
        raise InputError(
            f"{source}: key `figures.downstream_vision`: `{vision}` is not among the config's vision models"
        )
    for name in config["models"]:
        if configuration.models[name].modality == "both":
            raise InputError(
                f"{source}: key `models`: `{name}` has two towers in one space: name it in `modality_gap.models`, or have "
                "each tower in a row of its own"
            )
    if len(config["models"]) < FEWEST_COMPARED:
        raise InputError(
            f"{source}: key `models`: `{config['models'][0]}` alone; at least {FEWEST_COMPARED} models are needed, of any modality"
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
    performance = config["performance"]
    if performance["stride"] >= performance["window"]:
        raise InputError(
            f"{source}: key `performance.stride`: {performance['stride']} must be less than the window "
            f"({performance['window']})"
        )


def _check_models(configuration, names, where, key="models", modality=None, run=False):
    """The models of a figure are in the table, of a modality where one is asked for, and no mere features where it runs them."""
    for name in names:
        if name not in configuration.models:
            table = configuration.config["tables"]["models"]
            raise InputError(
                f"{where}.{key}`: `{name}` is not in {table}; name others, or set the whole key to null"
            )
    for name in names:
        if modality not in (None, configuration.models[name].modality):
            raise InputError(f"{where}.{key}`: `{name}` is no {modality} model; leave it out")
        if run and configuration.models[name].type == "features":
            raise InputError(
                f"{where}.{key}`: `{name}` is a file of features, which cannot be run on other texts; leave it out"
            )


def _check_data(configuration, names, where):
    """The data sets of a figure are in the table."""
    for name in filter(None, names):
        if name not in configuration.datasets:
            table, known = configuration.config["tables"]["datasets"], ", ".join(configuration.datasets)
            raise InputError(
                f"{where}: `{name}` is not in {table}, which has: {known}; name one of these, or set the whole key to null"
            )


def _check_density(configuration, source):
    density = configuration.config["caption_density"]
    if density is None:
        return
    where = f"{source}: key `caption_density"
    _check_models(configuration, density["models"], where, run=True)
    levels = density["levels"]
    if levels != sorted(set(levels)):
        raise InputError(f"{where}.levels`: {levels}: each must have more keywords than the one before")
    _check_data(configuration, [density["data"]], f"{where}.data`")
    if density["summariser"]:
        _check_models(configuration, [density["summariser"]], where, "summariser")
        kind = configuration.models[density["summariser"]].type
        if kind != "causal_lm":
            raise InputError(
                f"{where}.summariser`: `{density['summariser']}` is of type {kind}, a causal_lm is needed"
            )
        if 0 in levels:
            raise InputError(f"{where}.levels`: {levels}: no summary has 0 words")
    elif density["data"] and (
        density["data"] not in configuration.config["datasets"]
        or not configuration.datasets[density["data"]].keywords
    ):
        raise InputError(
            f"{where}.data`: `{density['data']}` has no keywords, or is not among `datasets`; name a `summariser` for it"
        )
    if density["items"] and density["k"] > density["items"] - 2:
        raise InputError(
            f"{where}.k`: {density['k']} neighbours need at least {density['k'] + 2} of the {density['items']} items"
        )


def _check_colours(configuration, find, source):
    colours = configuration.config["colour_geometry"]
    if colours is None:
        return
    where, table = f"{source}: key `colour_geometry", configuration.config["tables"]["colours"]
    _check_models(configuration, colours["models"], where, modality="language", run=True)
    _check_data(configuration, [colours["data"]], f"{where}.data`")
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


def _check_transfer(configuration, source):
    """Figure 2 names vision models and data sets that there are, of enough images."""
    transfer = configuration.config["transfer"]
    if transfer is None:
        return
    where = f"{source}: key `transfer"
    _check_models(configuration, transfer["models"], where, modality="vision")
    if len(transfer["models"]) < FEWEST_IN_PANEL:
        raise InputError(
            f"{where}.models`: {len(transfer['models'])} models, at least {FEWEST_IN_PANEL} are needed; name more, or "
            "set the whole key to null"
        )
    _check_data(configuration, [transfer["images"]], f"{where}.images`")
    _check_data(configuration, transfer["tasks"], f"{where}.tasks`")


def _check_gap(configuration, source):
    """The gap is between two towers of one space."""
    gap = configuration.config["modality_gap"]
    if gap is None:
        return
    where = f"{source}: key `modality_gap"
    _check_models(configuration, gap["models"], where)
    for name in gap["models"]:
        row = configuration.models[name]
        if row.modality != "both":
            raise InputError(
                f"{where}.models`: `{name}` is of type {row.type}: one tower, with a space of its own. The gap between two models' own "
                "spaces is not defined; name models of type dual_encoder"
            )
    _check_data(configuration, [gap["data"]], f"{where}.data`")
    if 0 not in gap["shifts"] or gap["shifts"] != sorted(set(gap["shifts"])):
        raise InputError(f"{where}.shifts`: {gap['shifts']}: they must rise, and 0 must be among them")


def _check_over_n(configuration, source):
    """Alignment over n is of two models each, at rising numbers of items."""
    over = configuration.config["alignment_over_n"]
    if over is None:
        return
    where = f"{source}: key `alignment_over_n"
    _check_models(configuration, [*itertools.chain(*over["pairs"])], where, "pairs")
    for x, y in over["pairs"]:
        if x == y:
            raise InputError(f"{where}.pairs`: `{x}` with itself; name two models")
        if "both" in (configuration.models[x].modality, configuration.models[y].modality):
            raise InputError(
                f"{where}.pairs`: {x}, {y}: one has two towers in one space; name models of one tower"
            )
    _check_data(configuration, configuration.data_over_n(), f"{where}.data`")
    if over["sizes"] != sorted({*over["sizes"]}):
        raise InputError(f"{where}.sizes`: {over['sizes']}: each must be larger than the one before")


def _check_licences(configuration, source):
    """Whatever is asked for comes out of packages that there are, and under licences that were accepted."""
    config = configuration.config
    models = configuration.all_models()
    asked = {"datasets": configuration.asked("datasets"), "models": models}
    for table, names in {**asked, "corpora": [config["performance"]["corpus"]]}.items():
        for name in names:
            packages_of(getattr(configuration, table)[name], configuration.packages, config["tables"][table])
    for name in models:
        row = configuration.models[name]
        if row.must_accept and row.must_accept not in config["accepted_licences"]:
            raise InputError(
                f"{source}: key `models`: `{name}` is under `{row.licence}`; read it, then add `{row.must_accept}` to "
                "`accepted_licences`"
            )


def _check_published(configuration, find, source):
    for section in ("performance", "figures", "alignment_over_n"):
        path = (configuration.config[section] or {}).get("published")
        if path is not None and not Path(find(path)).is_file():
            raise InputError(
                f"{source}: key `{section}.published`: {path}: no such file; correct it, or null"
            )
