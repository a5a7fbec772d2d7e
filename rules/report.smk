# What a run shows: all tables, all figures, its story, a notebook, and its page, to look through in a browser.


rule tables:
    """The final tables."""
    input:
        expand("results/tables/{table}.csv", table=["alignment", "performance", "correlation", "licences"]),
        ["results/tables/likelihood_distances.csv"] if SIBLINGS else [],


rule list_licences:
    """Under which licence all stands that came from outside. Nothing is fetched anew when a table says another one."""
    output:
        table=table("licences", "Licences of what came from outside"),
    log:
        "results/logs/list_licences.log",
    benchmark:
        "results/benchmarks/list_licences.tsv"
    conda:
        "../envs/tables.yaml"
    params:
        licences=verbatim(SETUP.licences()),
        code=code("list_licences"),
    message:
        "Listing licences"
    script:
        "../scripts/list_licences.py"


rule figures:
    """All figures."""
    input:
        [
            f"figures/{folder}{figure}.{ending}"
            for folder, dataset in FOLDERS.items()
            for figure in drawn(dataset)
            for ending in ("pdf", "png", "csv")
        ],


# The chapters of the tour whose figures are in the story.
STORY_CHAPTERS = (MAIN, PAIRS, BESIDE_THE_PAPER)


rule report:
    """Run the notebook on the tables and figures: an executed copy and a page."""
    input:
        rules.tables.input,
        rules.figures.input,
        notebook=local(str(BASE / "notebooks" / "story.ipynb")),
    output:
        notebook="results/report/story.ipynb",
        page=in_tour("results/report/story.html", "story", STORY, "The story of the run, a notebook"),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/notebook.yaml"
    params:
        **FITTED,
        title=verbatim(CONFIG["title"]),
        dataset=DATASETS[0],
        data=verbatim(SETUP.datasets[DATASETS[0]].label),
        text=verbatim(TEXT),
        metric=CONFIG["alignment"]["metrics"][0],
        models=labels_of(MODELS),
        figures={n: FIGURES[n].title for n in drawn(DATASETS[0]) if FIGURES[n].chapter in STORY_CHAPTERS},
        code=code("make_story"),
    message:
        "Running the notebook"
    script:
        "../scripts/make_story.py"


rule make_page:
    """Figures, scores, layers and nearest neighbours, in one file that works without a network."""
    input:
        alignment="results/tables/alignment.csv",
        performance="results/tables/performance.csv",
        correlation="results/tables/correlation.csv",
        datasets=all_shown("folder"),
        tiles=all_shown("tiles"),
        neighbors=all_shown("neighbors"),
        figures=all_shown("figures"),
        numbers=all_shown("numbers"),
        template=local(str(BASE / "notebooks" / "page.html")),
    output:
        page="results/report/page.html",
    log:
        "results/logs/make_page.log",
    benchmark:
        "results/benchmarks/make_page.tsv"
    conda:
        "../envs/page.yaml"
    params:
        **FITTED,
        title=verbatim(CONFIG["title"]),
        metric=CONFIG["alignment"]["metrics"][0],
        text=verbatim(TEXT),
        models=labels_of(MODELS),
        shown=SHOWN,
        figures={name: figure.title for name, figure in FIGURES.items()},
        datasets={dataset: shown(dataset) for dataset in DATASETS},
        code=code("make_page"),
    message:
        "Making the page of the run"
    script:
        "../scripts/make_page.py"
