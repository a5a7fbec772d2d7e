# The story of a run, as a notebook.


rule report:
    """Run the notebook on the tables and figures: an executed copy and a page."""
    input:
        rules.tables.input,
        rules.figures.input,
        notebook=local(str(BASE / "notebooks" / "report.ipynb")),
    output:
        notebook="results/report/report.ipynb",
        page=shown_as("results/report/report.html", "story", STORY, "The story of the run, a notebook"),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/notebook.yaml"
    params:
        title=CONFIG["title"],
        dataset=DATASETS[0],
        metric=METRIC,
        k=K,
        figures=FIGURE_NAMES,
        code=code("run_notebook"),
    message:
        "Running the notebook"
    script:
        "../scripts/run_notebook.py"
