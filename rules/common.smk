# The checked configuration, and the few helpers that rules share. All knowledge of tables is in prh.configuration.

import os
import sys
from functools import cache
from itertools import combinations, product
from pathlib import Path

BASE = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(BASE / "scripts"))

from prh import configuration
from prh.catalogue import METRICS, parse_metric
from prh.errors import InputError, check_writable
from prh.provenance import code_digest

# Jobs take these over. glibc then keeps what a job frees for its next batch, instead of giving it back to the system
# and asking for it anew, page by page, which halves the system's share of the CPU time.
os.environ.setdefault("MALLOC_MMAP_MAX_", "0")
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**33))


def find(path):
    """A path of the configuration: in the working directory if it is there, else beside the workflow."""
    return path if Path(path).exists() else BASE / path


def load_configuration():
    """The configuration, or one line that says what is wrong with it."""
    given = workflow.config_settings  # what the command line says is laid over the default
    source = " and ".join(map(str, given.configfiles)) or str(find("config/config.yaml"))
    source += " with --config" if given.config else ""
    try:
        return configuration.load(config, BASE / "config" / "schemas", find, source)
    except InputError as error:
        raise SystemExit(f"Configuration error. {error}")


def check_folders():
    """One line if what a run writes to is read-only; Snakemake itself would end in a traceback."""
    made = [Path(name) for name in (".snakemake", "results", "figures")]
    try:
        for folder in made + sorted(Path("results").glob("*/")):
            check_writable(folder.absolute())
    except InputError as error:
        raise SystemExit(str(error))


check_folders()
SETUP = load_configuration()
CONFIG = SETUP.config
config.update(CONFIG)  # with the defaults filled in: the report's captions read it
LANGUAGE, VISION = SETUP.chosen("language"), SETUP.chosen("vision")
CAUSAL = SETUP.chosen(type="causal_lm")
MODELS = LANGUAGE + VISION
POSITION = {name: i for i, name in enumerate(MODELS)}
DATASETS = CONFIG["datasets"]
CORPUS = CONFIG["performance"]["corpus"]
METRICS_USED = SETUP.metrics("alignment")
CALIBRATED = SETUP.metrics("calibration")
# What comes from the model hub, and what from packages or a folder.
HUB_MODELS = [name for name in MODELS if SETUP.models[name].repo]
HUB_DATASETS = [name for name in DATASETS if SETUP.datasets[name].repo]
HUB_CORPORA = [CORPUS] if SETUP.corpora[CORPUS].repo else []
TIMM = SETUP.chosen(type="timm_vit")
# As many neighbours as the metrics that are content with neighbour tables need.
K_MAX = max([k for m, ks in METRICS_USED.items() for k in ks if METRICS[m].family == "neighbors"], default=10)
# How features become what is compared: the same wherever they are read.
PREPARATION = {
    "clamp": CONFIG["alignment"]["clamp"],
    "concatenate": CONFIG["alignment"]["concatenate_layers"],
    "device": CONFIG["device"],
}


def only(names, but=()):
    """Wildcard constraint: one of these names, without some; with none left it matches nothing."""
    return "|".join(name for name in names if name not in but) or "(?!)"


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
# Columns of the model table that say what a job needs and not what it computes: a change of theirs re-runs nothing.
NEEDS = ("memory_gb", "gpus", "minutes", "sets", "size_name", "gated")
# Columns for rows of the hub: left out of other rows, whose results are then what they were without them.
FOR_THE_HUB = ("repo", "mirror", "caption_index", "dtype", "quantisation", "files", "tokens", "tokenizer")


def row(table):
    """Parameter function: the table's row that the wildcard names, and the revision that pins what it names."""

    def facts(wildcards):
        found = getattr(SETUP, table)[wildcards[WILDCARD[table]]]
        unused = NEEDS if found.repo else NEEDS + FOR_THE_HUB
        columns = {column: value for column, value in vars(found).items() if column not in unused}
        return {**columns, "revision": configuration.revision_of(found, SETUP.packages)}

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
    """Threads of a heavy job: two of them share up to eight cores, so that one computes while another starts.

    A cluster has no number of cores; there the profile sets the threads.
    """
    return max(1, min(8, (workflow.resource_settings.cores or 2) // 2))


# What jobs ask a cluster for, in the units of Snakemake's standard resources. Each retry asks for twice the memory of
# the attempt before, and for more time. Without a cluster they only count where `--resources` sets a limit.


def megabytes(held, attempt):
    """MB for a job that holds so many bytes: 2 GB for what it imports come on top."""
    return (2000 + int(held / 1e6)) * 2 ** (attempt - 1)


def memory_of_model(wildcards, attempt):
    """MB for running a model: the table's, or room for its parameters, in float32, three times."""
    model = SETUP.models[wildcards.model]
    if model.memory_gb:
        return int(model.memory_gb * 1000) * 2 ** (attempt - 1)
    return megabytes(12 * model.parameters, attempt)


def minutes_of_model(wildcards, attempt):
    """Minutes for running a model: the table's, or an hour."""
    return (SETUP.models[wildcards.model].minutes or 60) * attempt


def gpus_of_model(wildcards):
    """GPUs for running a model: the table's, or one if the config computes on GPUs."""
    gpus = SETUP.models[wildcards.model].gpus
    return int(CONFIG["device"] != "cpu") if gpus is None else gpus


RUNNING_A_MODEL = {"mem_mb": memory_of_model, "runtime": minutes_of_model, "gpu": gpus_of_model}


def weights(wildcards):
    """How a language model's weights are loaded, where its row says so: type, quantisation."""
    model = SETUP.models[wildcards.model]
    return {column: getattr(model, column) for column in ("dtype", "quantisation") if getattr(model, column)}


def memory_of_features(wildcards, attempt):
    """MB for ranking the neighbours of a model's features: room for the features three times."""
    return megabytes(3 * bytes_of_features(wildcards.dataset, [wildcards.model]), attempt)


def memory_of_tile(wildcards, attempt):
    """MB for what a tile holds of all its models at once; of neighbours a byte per layer and pair, see prh.cells."""
    n, models = items(wildcards.dataset), tile_models(wildcards)
    layers = sum(SETUP.models[name].layers for name in models)
    if METRICS[wildcards.metric].family == "neighbors":
        return megabytes(min(n * n, n * K_MAX * layers) * layers, attempt)
    return megabytes(bytes_of_features(wildcards.dataset, models) + 4 * n * n * layers, attempt)


def bytes_of_features(dataset, models):
    """Size of the features of these models, in float32."""
    return 4 * items(dataset) * sum(SETUP.models[name].layers * SETUP.models[name].width for name in models)


def items(dataset):
    """Items of a data set; of a local folder the table may not say, then as many as the paper has."""
    return SETUP.datasets[dataset].size or 1024


# Model pairs go in tiles: a block of models by a block of models.


# A block has 16 models, or as many as make ten blocks: more models make larger tiles, not ever more of them.
BLOCK = CONFIG["alignment"]["models_per_tile"] or max(16, -(-len(MODELS) // 10))


@cache
def blocks():
    """The models in blocks."""
    return [MODELS[i : i + BLOCK] for i in range(0, len(MODELS), BLOCK)]


def tiles(dataset, metric, folder="alignment", only_across=False):
    """The tiles of a metric: each pair of blocks once, a block with itself where it holds a pair.

    only_across: those with a language-vision pair. Language models stand before vision models in every block.
    """
    last = len(blocks())
    made = [(a, b) for a in range(last) for b in range(a, last) if a < b or len(blocks()[a]) > 1]
    if only_across:
        made = [(a, b) for a, b in made if blocks()[a][0] in LANGUAGE and blocks()[b][-1] in VISION]
    return [f"results/{folder}/{dataset}/{metric}/{a}-{b}.parquet" for a, b in made]


def tile_pairs(wildcards):
    """The model pairs (x, y) of a tile, x before y in the config's order, language before vision."""
    a, b = (int(i) for i in wildcards.tile.split("-"))
    return [
        list(pair) for pair in (combinations(blocks()[a], 2) if a == b else product(blocks()[a], blocks()[b]))
    ]


def tile_models(wildcards):
    """The models of a tile, each once."""
    return [name for i in sorted({int(i) for i in wildcards.tile.split("-")}) for name in blocks()[i]]


def tile_inputs(wildcards):
    """What a tile's metric needs of each of its models: neighbour tables are enough for some, others take features."""
    kind = "neighbors" if METRICS[wildcards.metric].family == "neighbors" else "features"
    return [f"results/{kind}/{wildcards.dataset}/{model}.safetensors" for model in tile_models(wildcards)]


def across_pairs(wildcards):
    """The language-vision pairs of a tile: those that are calibrated."""
    first_vision = len(LANGUAGE)
    return [[x, y] for x, y in tile_pairs(wildcards) if POSITION[x] < first_vision <= POSITION[y]]
