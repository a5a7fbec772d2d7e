# The figures: PDF, PNG, and a CSV with exactly the numbers drawn.


rule plot_alignment_vs_performance:
    """Figure 3 of the paper."""
    input:
        alignment="results/tables/alignment.csv",
        performance="results/tables/performance.csv",
    output:
        multiext("figures/{folder}alignment_vs_performance", pdf=".pdf", png=".png", csv=".csv"),
    log:
        "results/logs/figures/{folder}alignment_vs_performance.log",
    benchmark:
        "results/benchmarks/figures/{folder}alignment_vs_performance.tsv"
    conda:
        "../envs/statistics.yaml"
    params:
        dataset=dataset_of,
        metric=METRIC,
        k=K,
        models=labels,
        caption=caption,
        performance_label=f"1 - bits per byte on {SETUP.corpora[CORPUS].label}",
        code=code("plot_alignment_vs_performance"),
    script:
        "../scripts/plot_alignment_vs_performance.py"


rule plot_alignment_matrix:
    """All models by all models."""
    input:
        alignment="results/tables/alignment.csv",
    output:
        multiext("figures/{folder}alignment_matrix", pdf=".pdf", png=".png", csv=".csv"),
    log:
        "results/logs/figures/{folder}alignment_matrix.log",
    benchmark:
        "results/benchmarks/figures/{folder}alignment_matrix.tsv"
    conda:
        "../envs/statistics.yaml"
    params:
        dataset=dataset_of,
        metric=METRIC,
        k=K,
        models=labels,
        caption=caption,
        code=code("plot_alignment_matrix"),
    script:
        "../scripts/plot_alignment_matrix.py"


rule plot_layer_alignment:
    """Layer by layer heatmaps of the pairs that the config names."""
    input:
        tiles=layer_tiles,
    output:
        multiext("figures/{folder}layer_alignment", pdf=".pdf", png=".png", csv=".csv"),
    log:
        "results/logs/figures/{folder}layer_alignment.log",
    benchmark:
        "results/benchmarks/figures/{folder}layer_alignment.tsv"
    conda:
        "../envs/statistics.yaml"
    params:
        metric=METRIC,
        k=K,
        pairs=[sorted(pair, key=MODELS.index) for pair in CONFIG["figures"]["layer_pairs"]],
        models=labels,
        caption=caption,
        code=code("plot_layer_alignment"),
    script:
        "../scripts/plot_layer_alignment.py"


rule figures:
    """All figures."""
    input:
        expand(
            "figures/{folder}{figure}.{ending}",
            folder=FOLDERS,
            figure=FIGURE_NAMES,
            ending=["pdf", "png", "csv"],
        ),
