# The checked configuration, and the few helpers that rules share. All knowledge of tables is in prh.configuration.

import sys
from pathlib import Path

BASE = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(BASE / "scripts"))

from prh import configuration
from prh.catalogue import METRICS, parse_metric
from prh.errors import InputError
from prh.provenance import code_digest


def find(path):
    """A path of the configuration: in the working directory if it is there, else beside the workflow."""
    return path if Path(path).exists() else BASE / path


def load_configuration():
    """The configuration, or one line that says what is wrong with it."""
    source = str(workflow.configfiles[-1]) if workflow.configfiles else "config"
    try:
        return configuration.load(config, BASE / "config" / "schemas", find, source)
    except InputError as error:
        raise SystemExit(f"Configuration error. {error}")


SETUP = load_configuration()
CONFIG = SETUP.config
LANGUAGE, VISION = SETUP.chosen("language"), SETUP.chosen("vision")
CAUSAL = SETUP.chosen(type="causal_lm")
MODELS = LANGUAGE + VISION
DATASETS = CONFIG["datasets"]
CORPUS = CONFIG["performance"]["corpus"]
METRICS_USED = SETUP.metrics("alignment")
CALIBRATED = SETUP.metrics("calibration")
# As many neighbours as the metrics that are content with neighbour tables need.
K_MAX = max([k for m, ks in METRICS_USED.items() for k in ks if METRICS[m].family == "neighbors"], default=10)
# How features become what is compared: the same wherever they are read.
PREPARATION = {
    "clamp": CONFIG["alignment"]["clamp"],
    "concatenate": CONFIG["alignment"]["concatenate_layers"],
    "device": CONFIG["device"],
}


wildcard_constraints:
    package="|".join(SETUP.packages),
    dataset="|".join(DATASETS),
    model="|".join(MODELS),
    corpus=CORPUS,
    metric="|".join(METRICS_USED),


def code(script):
    """Digest of a script and the library modules it uses: as a parameter it re-runs the rule when they change."""
    return code_digest(BASE / "scripts" / f"{script}.py", BASE / "scripts" / "prh")


WILDCARD = {"datasets": "dataset", "models": "model", "corpora": "corpus"}


def row(table):
    """Parameter function: the table's row that the wildcard names, and the revision that pins what it names."""

    def facts(wildcards):
        found = getattr(SETUP, table)[wildcards[WILDCARD[table]]]
        return {**vars(found), "revision": configuration.revision_of(found, SETUP.packages)}

    return facts


def wheels(table):
    """Input function: the wheels that a row's column `packages` names."""

    def paths(wildcards):
        found = getattr(SETUP, table)[wildcards[WILDCARD[table]]]
        return [f"results/packages/{name}.whl" for name in configuration.packages_of(found, SETUP.packages)]

    return paths


def pinned_package(wildcards):
    """A package's row: name, version, digest."""
    return vars(SETUP.packages[wildcards.package])


def sha256_of_package(wildcards):
    """The pinned digest of a package."""
    return SETUP.packages[wildcards.package].sha256


def share_of_cores():
    """Threads of a heavy job: two of them share up to eight cores, so that one computes while another starts."""
    return max(1, min(8, (workflow.cores or 2) // 2))


# Model pairs go in tiles: a block of models by a block of models.


def blocks():
    """The models in blocks of `models_per_tile`."""
    size = CONFIG["alignment"]["models_per_tile"]
    return [MODELS[i : i + size] for i in range(0, len(MODELS), size)]


def tiles(dataset, metric, folder="alignment", pairs=None):
    """All tiles of a metric in which there are `pairs`: each pair of blocks once, a block with itself included."""
    last = len(blocks())
    names = [f"{a}-{b}" for a in range(last) for b in range(a, last)]
    return [
        f"results/{folder}/{dataset}/{metric}/{name}.parquet"
        for name in names
        if (pairs or tile_pairs_of)(name)
    ]


def tile_pairs_of(tile):
    """The model pairs (x, y) of a tile, x before y in the config's order, language before vision."""
    a, b = (blocks()[int(i)] for i in tile.split("-"))
    return [[x, y] for x in a for y in b if MODELS.index(x) < MODELS.index(y)]


def tile_pairs(wildcards):
    """`tile_pairs_of` the wildcard."""
    return tile_pairs_of(wildcards.tile)


def tile_models(wildcards):
    """The models of a tile, each once."""
    return sorted({model for pair in tile_pairs(wildcards) for model in pair}, key=MODELS.index)


def tile_inputs(wildcards):
    """What a tile's metric needs of each of its models: neighbour tables are enough for some, others take features."""
    kind = "neighbors" if METRICS[wildcards.metric].family == "neighbors" else "features"
    return [f"results/{kind}/{wildcards.dataset}/{model}.safetensors" for model in tile_models(wildcards)]


def across_pairs_of(tile):
    """The language-vision pairs of a tile: those that are calibrated."""
    return [[x, y] for x, y in tile_pairs_of(tile) if x in LANGUAGE and y in VISION]


def across_pairs(wildcards):
    """`across_pairs_of` the wildcard."""
    return across_pairs_of(wildcards.tile)


def calibrated_tiles():
    """Tiles of calibrated metrics that hold a language-vision pair."""
    return [
        path for d in DATASETS for m in CALIBRATED for path in tiles(d, m, "calibration", across_pairs_of)
    ]


# Figures. The first data set's stand in figures/, those of further ones in figures/<dataset>/.

METRIC, K = parse_metric(CONFIG["alignment"]["metrics"][0])
FIGURE_NAMES = ["alignment_vs_performance", "alignment_matrix", "alignment_by_metric", "metric_properties"]
FIGURE_NAMES += ["layer_alignment"] if CONFIG["figures"]["layer_pairs"] else []
FIGURE_NAMES += ["metric_agreement"] if len(CONFIG["alignment"]["metrics"]) > 1 else []
FIGURE_NAMES += ["cknna_by_k"] if any(METRICS[metric].family == "cknna" for metric in METRICS_USED) else []
FIGURE_NAMES += ["raw_vs_calibrated"] if CALIBRATED else []
FOLDERS = {f"{name}/" if i else "": name for i, name in enumerate(DATASETS)}


wildcard_constraints:
    folder=f"({'|'.join(FOLDERS)})",


def dataset_of(wildcards):
    """The data set whose figures stand in this folder."""
    return FOLDERS[wildcards.folder]


def caption(wildcards):
    """What every figure says of itself."""
    data = SETUP.datasets[dataset_of(wildcards)]
    pairs = f", n = {data.size:,} pairs" if data.size else ""
    return f"{CONFIG['title']} · {data.label}{pairs} · best layer pair per model pair"


def labels(_wildcards):
    """What figures need to know of the models: label, modality, family, init."""
    columns = ("label", "modality", "family", "init", "parameters")
    return {name: {c: getattr(SETUP.models[name], c) for c in columns} for name in MODELS}


def layer_tiles(wildcards):
    """The tiles that hold every layer pair of the data set, of the main metric."""
    return tiles(dataset_of(wildcards), METRIC)


FIGURE_PARAMS = {
    "dataset": dataset_of,
    "metric": CONFIG["alignment"]["metrics"][0],
    "models": labels,
    "caption": caption,
    "performance_label": f"1 - bits per byte on {SETUP.corpora[CORPUS].label}",
}
