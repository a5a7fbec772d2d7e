# The checked configuration, and the few helpers that rules share. All knowledge of the tables is in prh.configuration.

import os
import sys
from functools import cache

BASE = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(BASE / "scripts"))

from prh.configuration import loading
from prh.configuration.tables import packages_of, revision_of
from prh.alignment.catalogue import HELD_OF_A_LAYER, METRICS, SAMPLES_HELD, parse_metric
from prh.errors import InputError, check_folders
from prh.features import panel
from prh.features.adapters import ADAPTERS, maker_of, module_of
from prh.kept import keep
from prh.progress import Lines
from prh.provenance import code_digest
from prh.sources.registry import LABELLING, source_of_corpus, source_of_dataset
from prh.times import restore_times

# Jobs take these over. glibc then keeps what a job frees for its next batch, instead of asking the system for it anew, page by
# page, which halves the system's share of the CPU time. NumPy and SciPy would take all cores in each job.
os.environ.setdefault("MALLOC_MMAP_MAX_", "0")
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**33))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def find(path):
    """A path of the configuration: in the working directory if it is there, else beside the workflow."""
    return path if Path(path).exists() else BASE / path


def load_configuration():
    """The configuration, or one line that says what is wrong with it."""
    given = workflow.config_settings  # what the command line says is laid over the default
    source = " and ".join(map(str, given.configfiles)) or str(find("config/config.yaml"))
    source += " with --config" if given.config else ""
    own = given.config if workflow.modifier.is_main_snakefile() else {}  # of a module: its user's
    try:
        return loading.load(config, BASE / "config" / "schemas", find, source, own)
    except InputError as error:
        raise SystemExit(f"Configuration error. {error}")


try:
    check_folders(BASE)
except InputError as error:  # Snakemake itself would end in a traceback
    raise SystemExit(str(error))
if workflow.is_main_process:
    restore_times()
SETUP = load_configuration()
CONFIG = SETUP.config
# Of a run of few items a parameter of what tells of it; of another run none, so that nothing of that runs anew.
FITTED = {"fitted": SETUP.fitted} if SETUP.fitted else {}
for line in filter(None, [SETUP.fitted, SETUP.lacking()] if workflow.is_main_process else []):
    print(line, file=sys.stderr)
# With the defaults filled in: the report's captions read it. The last key is for a message; no parameter, so that it re-runs nothing.
config.update(CONFIG, needed_by=SETUP.needed_by())
LANGUAGE, VISION = SETUP.chosen("language"), SETUP.chosen("vision")
BOTH = SETUP.across()  # whether the run has language-vision pairs; else it is of one modality
SCORED = SETUP.scored()  # language models that have bits per byte
UNSCORED = SETUP.unscored()  # of which they are published, since they are not run
MODELS = LANGUAGE + VISION
POSITION = {name: i for i, name in enumerate(MODELS)}
DATASETS = CONFIG["datasets"]
TRANSFER, PANEL = CONFIG["transfer"], SETUP.panel  # figure 2, its vision models
CORPUS = CONFIG["performance"]["corpus"]
METRICS_USED = SETUP.metrics("alignment")
CALIBRATED = SETUP.metrics("calibration")
# k for which both neighbours and distances among them are calibrated.
AT_EQUAL_K = sorted(set(CALIBRATED.get("mutual_knn", [])) & set(CALIBRATED.get("cknna", [])))
METRIC, _ = parse_metric(CONFIG["alignment"]["metrics"][0])
# How features become what is compared: the same wherever they are read.
PREPARATION = {
    "clamp": CONFIG["alignment"]["clamp"],
    "concatenate": CONFIG["alignment"]["concatenate_layers"],
    "device": CONFIG["device"],
}


def only(names):
    """Wildcard constraint: one of these names; with none it matches nothing."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    package=only(SETUP.packages),
    dataset=only(SETUP.asked("datasets")),
    model=only(dict.fromkeys(MODELS + PANEL)),
    corpus=CORPUS,
    metric=only(METRICS_USED),
    tile=r"\d+-\d+",


# Of each table: its wildcard, and which module makes what a row asks for.
ROWS = {
    "datasets": ("dataset", source_of_dataset),
    "models": ("model", maker_of),
    "corpora": ("corpus", source_of_corpus),
}
# Columns that say what a job needs, or how something is called: a change re-runs only what shows them (labels_of). pooling is a setting.
NEEDS = (
    *("memory_gb", "gpus", "minutes", "sets", "size_name", "training", "gated", "pooling"),
    *("label", "family", "licence"),
)
# Columns for rows of the hub, or of a model by a path: left out of other rows, whose results are then what they were without them.
FOR_THE_HUB = (
    *("repo", "mirror", "caption_index", "files", "take"),
    *("dtype", "quantisation", "tokens", "tokenizer"),
)


def row_of(table, wildcards):
    """The table's row that the wildcard names."""
    return getattr(SETUP, table)[wildcards[ROWS[table][0]]]


def row(table):
    """Parameter function: the row that the wildcard names, and the revision that pins what it names."""

    def facts(wildcards):
        found = row_of(table, wildcards)
        own = table == "models" and found.path
        unused = NEEDS if found.repo or own else NEEDS + FOR_THE_HUB + ("path",) * (table == "models")
        columns = {column: value for column, value in vars(found).items() if column not in unused}
        return {**columns, "revision": revision_of(found, SETUP.packages)}

    return facts


def wheels(table):
    """Input function: the wheels that a row's column `packages` names."""

    def paths(wildcards):
        names = packages_of(row_of(table, wildcards), SETUP.packages)
        return [f"results/packages/{name}.whl" for name in names]

    return paths


@cache
def code(script, *modules):
    """Digest of a script and the library modules it uses: as a parameter it re-runs the rule when they change."""
    return code_digest(BASE / "scripts" / f"{script}.py", BASE / "scripts" / "prh", modules)


def code_of(script, table, module=None):
    """Parameter function: the same, with the module that makes, or runs, what the wildcard names."""
    return lambda wildcards: code(script, (module or ROWS[table][1])(row_of(table, wildcards)))
