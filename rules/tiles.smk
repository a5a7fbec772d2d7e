# Model pairs go in tiles: a block of models by a block of models. Items of a large data set go in shards, to be run by themselves.

from itertools import combinations, product

# A block has 16 models, or as many as make ten blocks: more models make larger tiles, not ever more of them.
BLOCK = CONFIG["alignment"]["models_per_tile"] or max(16, -(-len(MODELS) // 10))


# The pairs of models that are looked at layer by layer, each in the models' order.
LAYER_PAIRS = [sorted(pair, key=POSITION.get) for pair in CONFIG["figures"]["layer_pairs"]]


@cache
def blocks():
    """The models in blocks."""
    return [MODELS[i : i + BLOCK] for i in range(0, len(MODELS), BLOCK)]


def tiles(dataset, metric, folder="alignment"):
    """The tiles of a metric: each pair of blocks once, a block with itself where it holds a pair; of calibration those with
    a pair that is calibrated. Language models stand before vision models in every block.
    """
    last = len(blocks())
    made = [(a, b) for a in range(last) for b in range(a, last) if a < b or len(blocks()[a]) > 1]
    if folder == "calibration" and BOTH:
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


# Metrics that one job measures together.
OF_DISTANCES = [name for name in METRICS_USED if METRICS[name].of_distances]


def metrics_of(wildcards):
    """The metrics of a tile's job: the one that the wildcard names, or all that are of distances."""
    return [wildcards.metric] if hasattr(wildcards, "metric") else OF_DISTANCES


def tile_inputs(wildcards):
    """What a tile's metrics need of each of its models: neighbour tables are enough for some, others take features."""
    kind = "neighbors" if METRICS[metrics_of(wildcards)[0]].family == "neighbors" else "features"
    return [f"results/{kind}/{wildcards.dataset}/{model}.safetensors" for model in tile_models(wildcards)]


def calibrated_pairs(wildcards):
    """The pairs of a tile that are calibrated: the language-vision ones; in a run of one modality all."""
    first_vision = len(LANGUAGE)
    return [[x, y] for x, y in tile_pairs(wildcards) if not BOTH or POSITION[x] < first_vision <= POSITION[y]]


def tiles_holding(dataset, pairs):
    """The tiles of the main metric that hold these model pairs."""
    names = {f"{POSITION[x] // BLOCK}-{POSITION[y] // BLOCK}" for x, y in pairs}
    return [path for path in tiles(dataset, METRIC) if Path(path).stem in names]


# The data sets whose features are extracted in shards.
SHARDED = [name for name in SETUP.asked("datasets") if SETUP.shards(name)]


def shards(wildcards):
    """The shards of a model's features of a data set, in the order of the items."""
    folder = f"results/shards/{wildcards.dataset}/{wildcards.model}"
    return [f"{folder}/{number:05d}.safetensors" for number in range(SETUP.shards(wildcards.dataset))]


def items_of_shard(wildcards):
    """The first item of a shard, and the one after its last."""
    begin = int(wildcards.shard) * CONFIG["features"]["items_per_shard"]
    return [begin, min(begin + CONFIG["features"]["items_per_shard"], items(wildcards.dataset))]
