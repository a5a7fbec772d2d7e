# What jobs ask a cluster for, in the units of Snakemake's standard resources. Each retry asks for twice the memory of
# the attempt before, and for more time. Without a cluster they only count where `--resources` sets a limit.

import shlex
from importlib.util import find_spec

# Snakemake puts the interpreter's path into a shell's line as it is: of a folder with a blank it is found by its name instead.
if shlex.quote(sys.executable) != sys.executable:
    os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))
    sys.executable = Path(sys.executable).name


def share_of_cores():
    """Threads of a heavy job: two of them share up to eight cores, so that one computes while another starts.

    A cluster has no number of cores; there the profile sets the threads.
    """
    return max(1, min(8, (workflow.resource_settings.cores or 2) // 2))


def megabytes(held, attempt):
    """MB for a job that holds so many bytes: 2 GB for what it imports come on top."""
    return (2000 + int(held / 1e6)) * 2 ** (attempt - 1)


def memory_of_model(wildcards, attempt):
    """MB for running a model: the table's, or room for its parameters, in float32, three times."""
    model = SETUP.models[wildcards.model]
    if model.memory_gb:
        return int(model.memory_gb * 1000) * 2 ** (attempt - 1)
    return megabytes(12 * SETUP.size(wildcards.model).parameters, attempt)


def minutes_of_model(wildcards, attempt):
    """Minutes for running a model: the table's, or an hour."""
    return (SETUP.models[wildcards.model].minutes or 60) * attempt


def gpus_of_model(wildcards):
    """GPUs for running a model: the table's, or one if the config computes on GPUs and there is something to run."""
    model = SETUP.models[wildcards.model]
    usual = int(CONFIG["device"] != "cpu" and model.type != "features")
    return usual if model.gpus is None else model.gpus


def memory_of_shard(wildcards, attempt):
    """MB for running a model over a shard: as for the model, and its features of these items."""
    begin, end = items_of_shard(wildcards)
    held = bytes_of_features(wildcards.dataset, [wildcards.model]) * (end - begin) / items(wildcards.dataset)
    return memory_of_model(wildcards, attempt) + int(held / 1e6)


def minutes_of_merge(wildcards, attempt):
    """Minutes for copying a model's features: half an hour, or at 50 MB per second, read, written and digested."""
    return max(30, int(bytes_of_features(wildcards.dataset, [wildcards.model]) / 3e9)) * attempt


RUNNING_A_MODEL = {"mem_mb": memory_of_model, "runtime": minutes_of_model, "gpu": gpus_of_model}
# Parameters of such a job: how its model is loaded, and onto what.
LOADING_A_MODEL = {
    "weights": lambda wildcards: SETUP.weights(wildcards.model),
    "device": CONFIG["device"],
}


def pairs_given(wildcards):
    """Of mere features of a data set of the hub, whose size the table says: that size, and the data set is not fetched; else None."""
    mere = SETUP.models[wildcards.model].type == "features" and SETUP.datasets[wildcards.dataset].repo
    return SETUP.sizes[wildcards.dataset] if mere else None


def data_of(wildcards):
    """Input function: the data set that a model runs over."""
    return [] if pairs_given(wildcards) else f"results/data/{wildcards.dataset}"


def settings_of(wildcards):
    """Parameter function: the settings of features that a model takes; of mere features the number of pairs where nothing else says it."""
    pairs = pairs_given(wildcards)
    return SETUP.settings(wildcards.model) | ({"pairs": pairs} if pairs else {})


def memory_of_features(wildcards, attempt):
    """MB for ranking the neighbours of a model's features: room for the features three times."""
    return megabytes(3 * bytes_of_features(wildcards.dataset, [wildcards.model]), attempt)


def memory_of_rows(wildcards, attempt):
    """MB for the candidates of a part of many items and half of the others, twice: and one layer three times, or all of them as one."""
    n, size = items(wildcards.dataset), SETUP.size(wildcards.model)
    width = size.width * (2 * size.layers if CONFIG["alignment"]["concatenate_layers"] else 1)
    return megabytes(12 * n * width + 16 * (n // 2 + ROWS_PER_JOB) * K_MAX * size.layers, attempt)


def memory_of_table(wildcards, attempt):
    """MB for the neighbour table of a model with similarities, once more without, and the candidates of a part."""
    n, layers = items(wildcards.dataset), SETUP.size(wildcards.model).layers
    return megabytes((12 * n + 8 * (n // 2 + 4 * ROWS_PER_JOB)) * K_MAX * layers, attempt)


def memory_of_tile(wildcards, attempt):
    """MB for what a tile holds of all its models at once; of neighbours a byte per layer and pair, see prh.alignment.knn_graph.

    Of kernels that are permuted all n x n cells and half of them; of several metrics half of them each; of more items only the
    features, twice.
    """
    n, models, metrics = items(wildcards.dataset), tile_models(wildcards), metrics_of(wildcards)
    layers = sum(SETUP.size(name).layers for name in models)
    if METRICS[metrics[0]].family == "neighbors":
        return megabytes(min(n * n, n * K_MAX * layers) * layers, attempt)
    held = (4 + 2 * len(metrics)) * n * n if n <= SAMPLES_HELD else HELD_OF_A_LAYER
    return megabytes(2 * bytes_of_features(wildcards.dataset, models) + held * layers, attempt)


def memory_over_n(_wildcards, attempt):
    """MB for alignment on parts: one model's features three times, all models' neighbour tables, and one pair's graphs."""
    sizes, n = [SETUP.size(name) for name in OVER_MODELS], items(*WITH_PARTS)
    rows = n + sum(size * OVER_N["draws"] for size in OVER_N["sizes"])
    k, most = max(OVER_N["k"], OVER_N["share"] * n), max(size.layers for size in sizes)
    largest = max(bytes_of_features(*WITH_PARTS, [name]) for name in OVER_MODELS)
    tables = 4 * k * rows * sum(size.layers for size in sizes)
    return megabytes(3 * largest + tables + 2 * n * k * most * most, attempt)


def bytes_of_features(dataset, models):
    """Size of the features of these models, in float32."""
    return 4 * items(dataset) * sum(size.layers * size.width for size in map(SETUP.size, models))


def items(dataset):
    """Items of a data set; where they are not known yet, as many as the paper has."""
    return SETUP.sizes[dataset] or 1024


def check_environment():
    """One line before any job starts where the package of a kind of models is not in the environment that jobs run in."""
    planned = {job.rule.name for job in workflow.dag.needrun_jobs()}
    lacking = {"extract_timm_features", "extract_timm_shard"} & planned and find_spec("timm") is None
    if lacking and not workflow.deployment_settings.deployment_method:
        name = SETUP.run_in("timm")[0]
        raise SystemExit(
            f"{CONFIG['tables']['models']}, row `{name}`: models of type `{SETUP.models[name].type}` need the package timm, which "
            "is not in this environment; run .venv-paper/bin/snakemake, which `make paper` sets up, or with --sdm conda"
        )
