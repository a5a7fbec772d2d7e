# The page of a run: what came out, to look through in a browser.


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


rule make_page:
    """Figures, scores, layers and nearest neighbours, in one file that works without a network."""
    input:
        alignment="results/tables/alignment.csv",
        performance="results/tables/performance.csv",
        datasets=all_shown("folder"),
        tiles=all_shown("tiles"),
        neighbors=all_shown("neighbors"),
        figures=all_shown("figures"),
        template=local(str(BASE / "notebooks" / "index.html")),
    output:
        page="results/report/index.html",
    log:
        "results/logs/make_page.log",
    benchmark:
        "results/benchmarks/make_page.tsv"
    conda:
        "../envs/page.yaml"
    params:
        title=CONFIG["title"],
        metric=CONFIG["alignment"]["metrics"][0],
        models=labels,
        shown=SHOWN,
        datasets={dataset: shown(dataset) for dataset in DATASETS},
        code=code("make_page"),
    message:
        "Making the page of the run"
    script:
        "../scripts/make_page.py"
