# What a run shows: its figures, their places in Snakemake's report, and its page.

# Figures. The first data set's stand in figures/, those of further ones in figures/<dataset>/.

METRIC, K = parse_metric(CONFIG["alignment"]["metrics"][0])
FIGURE_NAMES = ["alignment_vs_performance", "alignment_matrix", "alignment_by_metric", "metric_properties"]
FIGURE_NAMES += ["layer_alignment"] if CONFIG["figures"]["layer_pairs"] else []
FIGURE_NAMES += ["metric_agreement"] if len(CONFIG["alignment"]["metrics"]) > 1 else []
FIGURE_NAMES += ["cknna_by_k"] if any(METRICS[metric].family == "cknna" for metric in METRICS_USED) else []
FIGURE_NAMES += ["raw_vs_calibrated"] if CALIBRATED else []
FIGURE_NAMES += ["alignment_vs_downstream"] if CONFIG["figures"]["downstream_vision"] else []
FIGURE_NAMES += ["reproduced_vs_published"] if CONFIG["figures"]["published"] else []
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
    """What figures need to know of the models: label, modality, family, size, init."""
    columns = ("label", "modality", "family", "init", "parameters")
    found = {name: {c: getattr(SETUP.models[name], c) for c in columns} for name in MODELS}
    for name, facts in found.items():
        if SETUP.models[name].size_name:
            facts["size_name"] = SETUP.models[name].size_name
        if SETUP.models[name].quantisation:
            facts["label"] += f" ({SETUP.models[name].quantisation})"
    return found


LAYER_PAIRS = [sorted(pair, key=POSITION.get) for pair in CONFIG["figures"]["layer_pairs"]]


def layer_tiles(wildcards):
    """The tiles, of the main metric, that hold the model pairs drawn layer by layer."""
    names = {f"{POSITION[x] // BLOCK}-{POSITION[y] // BLOCK}" for x, y in LAYER_PAIRS}
    return [path for path in tiles(dataset_of(wildcards), METRIC) if Path(path).stem in names]


# The report that Snakemake makes (`snakemake --report`): a tour in the order of the categories, a caption in report/ for
# each figure and table.

MAIN, PAIRS, METRIC_CHOICE = "1 The main result", "2 Models and layers", "3 Which metric"
CHANCE, PUBLISHED, TABLES, STORY = "4 Against chance", "5 Beside the paper", "6 Tables", "7 The story"
TOUR = {  # a figure's place in it, and its name in words, here and on the page of the run
    "alignment_vs_performance": (MAIN, "Alignment over language-model performance (figure 3)"),
    "alignment_matrix": (PAIRS, "All models by all models"),
    "layer_alignment": (PAIRS, "Layer by layer"),
    "alignment_by_metric": (METRIC_CHOICE, "The main figure by every metric (figures 13, 14)"),
    "cknna_by_k": (METRIC_CHOICE, "CKNNA from few neighbours to many (figure 10)"),
    "metric_agreement": (METRIC_CHOICE, "Do metrics order pairs of models alike? (figure 12)"),
    "metric_properties": (METRIC_CHOICE, "What holds of each metric (figure 11)"),
    "raw_vs_calibrated": (CHANCE, "Before and after null calibration (Groeger et al. 2026)"),
    "alignment_vs_downstream": (PUBLISHED, "Benchmark scores over alignment (figure 4)"),
    "reproduced_vs_published": (PUBLISHED, "Published numbers and this run's"),
}


def label_of_dataset(wildcards):
    """The label of the data set whose figures stand in this folder."""
    return SETUP.datasets[dataset_of(wildcards)].label


def figure(name):
    """The files of a figure: PDF, PNG and CSV; the latter two are in the report."""
    category, title = TOUR[name]

    def in_report(path, shown):
        def words(wildcards):
            return {"what": title, "data set": dataset_of(wildcards), "file": shown}

        return report(path, f"../report/{name}.rst", category, label_of_dataset, words)

    pdf, png, csv = multiext(f"figures/{{folder}}{name}", pdf=".pdf", png=".png", csv=".csv")
    return [pdf, in_report(png, "figure"), in_report(csv, "its numbers")]


def table(name, title):
    """The path of a table, which is in the report."""
    return shown_as(f"results/tables/{name}.csv", f"table_{name}", TABLES, title)


def shown_as(path, caption, category, title):
    """A path that is in the report and is of all data sets."""
    return report(path, f"../report/{caption}.rst", category, "all data sets", {"what": title})


FIGURE_PARAMS = {
    "dataset": dataset_of,
    "metric": CONFIG["alignment"]["metrics"][0],
    "models": labels,
    "caption": caption,
    "performance_label": f"1 - bits per byte on {SETUP.corpora[CORPUS].label}",
}


# The page of a run.

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
        "figures": [f"figures/{folder}{name}.png" for name in FIGURE_NAMES],
    }


def all_shown(key):
    """That part of it of all data sets, as one list."""
    found = [shown(dataset)[key] for dataset in DATASETS]
    return [path for part in found for path in (part if isinstance(part, list) else [part])]
