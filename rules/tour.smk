# What a run shows of itself: what each figure is told and says, its place in the tour that Snakemake makes
# (`snakemake --report`), and what the page holds. Rules stand elsewhere.

from collections import namedtuple

# The chapters of the tour that Snakemake makes (`snakemake --report`); each figure and table there has a caption in report/.
MAIN, PAIRS, WHICH_METRIC = "1 The main result", "2 Models and layers", "3 Which metric"
CHANCE, BESIDE_THE_PAPER, TABLES, STORY = "4 Against chance", "5 Beside the paper", "6 Tables", "7 The story"


def in_tour(path, caption, chapter, title, of="all data sets", file=None):
    """A path that is in the tour. of: whose it is; file: which of a figure's files."""

    def words(wildcards):
        shown = {"data set": dataset_of(wildcards), "file": file} if file else {}
        return {"what": title, **shown}

    return report(path, f"../report/{caption}.rst", chapter, of, words)


def table(name, title):
    """The path of a table, which is in the tour."""
    return in_tour(f"results/tables/{name}.csv", f"table_{name}", TABLES, title)


# The first data set's figures stand in figures/, those of further ones in figures/<dataset>/.
FOLDERS = {f"{name}/" if i else "": name for i, name in enumerate(DATASETS)}


wildcard_constraints:
    folder=f"({'|'.join(FOLDERS)})",


def dataset_of(wildcards):
    """The data set whose figures stand in this folder."""
    return FOLDERS[wildcards.folder]


def label_of_dataset(wildcards):
    """Its label, for a heading in the tour. Braces are no wildcards: a joiner that is not seen stands behind them."""
    return SETUP.datasets[dataset_of(wildcards)].label.replace("{", "{\u2060")


def caption(wildcards):
    """What every figure says of itself."""
    return caption_of(dataset_of(wildcards))


def caption_of(dataset=None):
    """The same, of a data set by its name."""
    if dataset is None:
        return ""
    size = SETUP.sizes[dataset]
    pairs = f", n = {size:,} pairs" if size else ""
    few = " · metrics fitted" if SETUP.fitted else ""
    return f"{CONFIG['title']} · {SETUP.datasets[dataset].label}{pairs}{few} · best layer pair per model pair"


def labels_of(models):
    """What figures, story and page need to know of models: label, modality, family, size, init, number of layers."""
    columns = ("label", "modality", "family", "init", "parameters", "layers")
    found = {name: {c: getattr(SETUP.models[name], c) for c in columns} for name in models}
    for name, facts in found.items():
        if SETUP.models[name].size_name:
            facts["size_name"] = SETUP.models[name].size_name
        if SETUP.models[name].quantisation:
            facts["label"] += f" ({SETUP.models[name].quantisation})"
    return found


def files_of(name, figure):
    """The files of a figure; PNG and CSV are in the tour."""
    path = f"figures/{{folder}}{name}"
    told = (name, figure.chapter, figure.title, label_of_dataset)
    png, csv = in_tour(f"{path}.png", *told, "figure"), in_tour(f"{path}.csv", *told, "its numbers")
    return {"pdf": f"{path}.pdf", "png": png, "csv": csv}


def drawn(dataset):
    """The figures that this run has of a data set: those that it always has, and those that it has of this one."""
    return [
        name
        for name, figure in FIGURES.items()
        if (dataset in figure.drawn if isinstance(figure.drawn, list) else figure.drawn)
    ]


def verbatim(text):
    """Parameter function: words of the configuration as they are. In a bare text Snakemake would look for wildcards in braces."""
    return lambda wildcards: text


# As many models as a page can show and a phone can open; the tables and figures have all.
SHOWN = LANGUAGE[:20] + VISION[:20]


def shown(dataset):
    """What the page shows of a data set: where it lies, the main metric's tiles, neighbours, and figures."""
    held = {POSITION[name] // BLOCK for name in SHOWN}
    folder = next(folder for folder, name in FOLDERS.items() if name == dataset)
    return {
        "label": SETUP.datasets[dataset].label,
        "folder": f"results/data/{dataset}",
        "tiles": [path for path in tiles(dataset, METRIC) if {*map(int, Path(path).stem.split("-"))} <= held],
        "neighbors": [f"results/neighbors/{dataset}/{model}.safetensors" for model in SHOWN],
        "figures": [f"figures/{folder}{name}.png" for name in drawn(dataset)],
        "numbers": [f"figures/{folder}{name}.csv" for name in drawn(dataset)],
    }


def all_shown(key):
    """That part of it of all data sets, as one list."""
    found = [shown(dataset)[key] for dataset in DATASETS]
    return [path for part in found for path in (part if isinstance(part, list) else [part])]


# The text whose bits per byte are language models' performance.
TEXT = "the captions, published by others" if UNSCORED else SETUP.corpora[CORPUS].label
# What a figure draws from, and what it is told.
ALIGNMENT, PERFORMANCE, CORRELATION, DOWNSTREAM = (
    {name: f"results/tables/{name}.csv"} for name in ("alignment", "performance", "correlation", "downstream")
)
TILES = {"tiles": lambda wildcards: tiles_holding(dataset_of(wildcards), LAYER_PAIRS)}
NUMBERS = {"reference": local(f"{BASE}/config/published/reference.tsv")}
PUBLISHED = {"published": [find(path) for path in [CONFIG["figures"]["published"]] if path]}
OF_DATA = {  # of models one by one
    "dataset": dataset_of,
    "models": labels_of(MODELS),
    "caption": lambda wildcards: caption(wildcards).rpartition(" · ")[0],
}
COMMON = {
    "dataset": dataset_of,
    "metric": CONFIG["alignment"]["metrics"][0],
    "models": labels_of(MODELS),
    "caption": caption,
    "performance_label": verbatim(f"1 - bits per byte on {TEXT}"),
}
# chapter and title: its place in the tour, and its name there and on the page. drawn: whether this run has it, or the data
# sets of which it has. numbers: how they follow from its inputs, for the audit, see prh.audit.checks_tables; "drawn": they stand there.
Figure = namedtuple("Figure", "chapter title inputs params drawn numbers", defaults=(COMMON, True, "drawn"))
OVER_PERFORMANCE = (
    ALIGNMENT | PERFORMANCE,
    COMMON,
    BOTH and bool(SCORED or UNSCORED),
)  # of figure 3, and of the same by metric
