# The page of a run: what came out, to look through in a browser.


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
        figures={name: title for name, (_, title) in TOUR.items()},
        datasets={dataset: shown(dataset) for dataset in DATASETS},
        code=code("make_page"),
    message:
        "Making the page of the run"
    script:
        "../scripts/make_page.py"
