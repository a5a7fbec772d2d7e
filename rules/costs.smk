# What jobs cost: about how many seconds each takes on two cores, or on a GPU, by the sizes of models, data sets and texts. By
# this a run says how long it still takes, and corrects it by what its own jobs took (prh.forecast): only proportions count.

START, SHORT = 3, 2  # seconds of a job that does next to nothing: with PyTorch, and without
DOWNLOAD = 3e7  # bytes per second
READY, LOAD = 1.5e7, 5e8  # parameters per second, of a model made ready and of one loaded
MULTIPLY = 3.8e10 if CONFIG["device"] == "cpu" else 3e13  # multiplications per second
CAPTION = 12  # tokens
PLACES = 110  # at which a CNN's weights are used, in an image of 224 pixels
PATCHES = 180  # tokens of such an image, of the other vision models


def cost(name, wildcards):
    """Seconds that a job of the rule of this name takes, about, and whether it downloads; of one that is not here, SHORT."""
    if name in DOWNLOADS:
        return 1 + DOWNLOADS[name](wildcards) / DOWNLOAD, True
    return (START + WORK[name](wildcards) if name in WORK else SHORT), False


def bytes_of_package(wildcards):
    """Size of a wheel."""
    return SETUP.packages[wildcards.package].megabytes * 1e6


def bytes_of_weights(wildcards):
    """Size of a model's weights on the hub."""
    model = SETUP.models[wildcards.model]
    return SETUP.size(model.name).parameters * (2 if model.dtype in ("bfloat16", "float16") else 4)


def make_ready(wildcards):
    """A model's weights are written anew."""
    return SETUP.size(wildcards.model).parameters / READY


def run_model(wildcards, tokens):
    """A model is loaded, and each token is multiplied with each parameter."""
    size = SETUP.size(wildcards.model).parameters
    return size / LOAD + size * tokens / MULTIPLY


def run_on_items(wildcards):
    """A model runs over the captions, or the images, of a data set, or of a shard of it."""
    model = SETUP.models[wildcards.model]
    if model.type == "features":  # nothing is run
        return SETUP.size(model.name).parameters / LOAD
    places = PLACES if ADAPTERS[model.type].module == "cnn" else PATCHES
    begin, end = items_of_shard(wildcards) if hasattr(wildcards, "shard") else (0, items(wildcards.dataset))
    image = places * ((model.image_size or 224) / 224) ** 2
    return run_model(wildcards, (end - begin) * (CAPTION if model.modality == "language" else image))


def run_on_levels(wildcards):
    """A language model runs over short captions of each level, and over the control's."""
    count = (len(DENSITY["levels"]) + 1) * (DENSITY["items"] or items(wildcards.dataset))
    return run_model(wildcards, count * CAPTION / 2)


def summarise(_wildcards):
    """An instruct model reads a long description for each level, and writes it anew token by token."""
    count = len(DENSITY["levels"]) * (DENSITY["items"] or items(WITH_LEVELS[0]))
    return run_model(SUMMARISING, count * 1500)


def run_on_text(wildcards):
    """A model runs over a text, in windows that overlap."""
    text, performance = SETUP.corpora[wildcards.corpus], CONFIG["performance"]
    overlap = performance["window"] / performance["stride"]
    return run_model(wildcards, (text.tokens or text.bytes / 4) * overlap)


def run_on_benchmarks(wildcards):
    """A model runs over benchmarks: 5,000 questions with four answers, after its examples, each of 100 tokens."""
    performance = CONFIG["performance"]
    texts = sum(1 + int(task.partition("@")[2]) for task in performance["tasks"])
    return run_model(wildcards, (performance["task_limit"] or 5000) * 4 * 100 * texts)


def all_with_all(wildcards, models):
    """All items are multiplied with all, in each layer of these models."""
    return items(wildcards.dataset) * bytes_of_features(wildcards.dataset, models) / 4 / MULTIPLY


def compare(wildcards, pairs, ks, times):
    """The layers of a tile's pairs of models are compared, for each k, so many times; of features, kernels are made before."""
    n, neighbors = items(wildcards.dataset), METRICS[metrics_of(wildcards)[0]].family == "neighbors"
    layers = sum(SETUP.size(x).layers * SETUP.size(y).layers for x, y in pairs)
    values = sum(2 * n * (min(4 * k, n) if neighbors else n) for k in ks)
    kernels = 0 if neighbors else len(ks) * all_with_all(wildcards, tile_models(wildcards))
    return kernels + values * layers * times / MULTIPLY


def measure(wildcards):
    """All pairs of a tile, once by each metric."""
    ks = sum((METRICS_USED[metric] for metric in metrics_of(wildcards)), [])
    return compare(wildcards, tile_pairs(wildcards), ks, 1)


def calibrate(wildcards):
    """The pairs of a tile that are calibrated, permuted."""
    half = CONFIG["calibration"]["permutations"] / 2  # several are multiplied at a time
    return compare(wildcards, calibrated_pairs(wildcards), CALIBRATED[wildcards.metric], half)


def rank(wildcards):
    """The items of a data set, or as many as a job of rows has, are compared with all."""
    n = items(wildcards.dataset)
    return all_with_all(wildcards, [wildcards.model]) * min(ROWS_PER_JOB, n) / n


def probe(wildcards):
    """An eigendecomposition per model and part, of the items or the features."""
    sides = [min(items(wildcards.dataset), SETUP.size(name).width) for name in PANEL]
    return TRANSFER["folds"] * sum(5 * side**3 for side in sides) / MULTIPLY


DOWNLOADS = {
    "fetch_package": bytes_of_package,
    "fetch_hub_model": bytes_of_weights,
    **dict.fromkeys(("fetch_hub_dataset", "fetch_hub_corpus"), lambda _wildcards: 3e8),  # no table has it
}
WORK = {
    "fetch_dataset": lambda wildcards: 0.006 * items(wildcards.dataset),
    "describe_layers": lambda _wildcards: 0.4 * len(OF_LAYERS),
    "measure_over_n": lambda _: 1e-8 * OVER_N["permutations"] * len(OVER_PAIRS) * items(*WITH_PARTS) ** 2,
    "measure_windows": lambda _wildcards: 4 * len(LAYER_PAIRS) * len(DATASETS),
    **{f"fetch_{maker}_model": make_ready for maker in [*MAKERS, "local"]},
    **{f"extract_{kind.environment}_features": run_on_items for kind in ADAPTERS.values()},
    **{f"extract_{kind.environment}_shard": run_on_items for kind in ADAPTERS.values()},
    "merge_features": lambda wildcards: bytes_of_features(wildcards.dataset, [wildcards.model]) / 1.7e8,
    "fetch_small_models": lambda _wildcards: len(SMALL),
    "extract_small_features": lambda wildcards: 0.0025 * len(SMALL) * items(wildcards.dataset),
    "label_images": lambda wildcards: 0.002 * items(wildcards.dataset),
    "probe_tasks": probe,
    "tabulate_transfer": lambda _wildcards: 0.01 * len(PANEL) ** 2,
    "embed_colour_words": lambda _wildcards: 5,
    "tabulate_colours": lambda _wildcards: 6,
    "tabulate_caption_density": lambda _wildcards: 6,
    "extract_caption_levels": run_on_levels,
    "summarise_captions": summarise,
    "score_captions": run_on_items,
    **dict.fromkeys(("score_language_model", "score_with_likelihoods"), run_on_text),
    "evaluate_downstream": run_on_benchmarks,
    "index_neighbors": rank,
    "index_rows": rank,
    **dict.fromkeys(("measure_alignment", "measure_by_distances"), measure),
    "calibrate_alignment": calibrate,
}
