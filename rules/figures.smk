# The figures: PDF, PNG, and a CSV with exactly the numbers drawn.


rule plot_alignment_vs_performance:
    """Figure 3 of the paper."""
    input:
        alignment="results/tables/alignment.csv",
        performance="results/tables/performance.csv",
    output:
        figure("alignment_vs_performance"),
    log:
        "results/logs/figures/{folder}alignment_vs_performance.log",
    benchmark:
        "results/benchmarks/figures/{folder}alignment_vs_performance.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        code=code("plot_alignment_vs_performance"),
    message:
        "Figure {wildcards.folder}alignment_vs_performance"
    script:
        "../scripts/plot_alignment_vs_performance.py"


rule plot_alignment_matrix:
    """All models by all models."""
    input:
        alignment="results/tables/alignment.csv",
    output:
        figure("alignment_matrix"),
    log:
        "results/logs/figures/{folder}alignment_matrix.log",
    benchmark:
        "results/benchmarks/figures/{folder}alignment_matrix.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        code=code("plot_alignment_matrix"),
    message:
        "Figure {wildcards.folder}alignment_matrix"
    script:
        "../scripts/plot_alignment_matrix.py"


rule plot_layer_alignment:
    """Layer by layer heatmaps of the pairs that the config names."""
    input:
        tiles=layer_tiles,
    output:
        figure("layer_alignment"),
    log:
        "results/logs/figures/{folder}layer_alignment.log",
    benchmark:
        "results/benchmarks/figures/{folder}layer_alignment.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        pairs=LAYER_PAIRS,
        code=code("plot_layer_alignment"),
    message:
        "Figure {wildcards.folder}layer_alignment"
    script:
        "../scripts/plot_layer_alignment.py"


rule plot_alignment_by_metric:
    """Figures 13 and 14 of the paper: every metric against performance."""
    input:
        alignment="results/tables/alignment.csv",
        performance="results/tables/performance.csv",
    output:
        figure("alignment_by_metric"),
    log:
        "results/logs/figures/{folder}alignment_by_metric.log",
    benchmark:
        "results/benchmarks/figures/{folder}alignment_by_metric.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        code=code("plot_alignment_by_metric"),
    message:
        "Figure {wildcards.folder}alignment_by_metric"
    script:
        "../scripts/plot_alignment_by_metric.py"


rule plot_cknna_by_k:
    """Figure 10 of the paper, in all variants of CKNNA."""
    input:
        alignment="results/tables/alignment.csv",
    output:
        figure("cknna_by_k"),
    log:
        "results/logs/figures/{folder}cknna_by_k.log",
    benchmark:
        "results/benchmarks/figures/{folder}cknna_by_k.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        code=code("plot_cknna_by_k"),
    message:
        "Figure {wildcards.folder}cknna_by_k"
    script:
        "../scripts/plot_cknna_by_k.py"


rule plot_metric_agreement:
    """Figure 12 of the paper: Spearman between all metrics over all model pairs."""
    input:
        alignment="results/tables/alignment.csv",
    output:
        figure("metric_agreement"),
    log:
        "results/logs/figures/{folder}metric_agreement.log",
    benchmark:
        "results/benchmarks/figures/{folder}metric_agreement.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        code=code("plot_metric_agreement"),
    message:
        "Figure {wildcards.folder}metric_agreement"
    script:
        "../scripts/plot_metric_agreement.py"


rule plot_metric_properties:
    """Figure 11 of the paper: what holds of each metric."""
    output:
        figure("metric_properties"),
    log:
        "results/logs/figures/{folder}metric_properties.log",
    benchmark:
        "results/benchmarks/figures/{folder}metric_properties.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        caption=f"{CONFIG['title']} · facts of the metrics, not of this run's data",
        metrics=CONFIG["alignment"]["metrics"],
        code=code("plot_metric_properties"),
    message:
        "Figure {wildcards.folder}metric_properties"
    script:
        "../scripts/plot_metric_properties.py"


rule plot_raw_vs_calibrated:
    """The follow-up's main figure: before and after null calibration."""
    input:
        alignment="results/tables/alignment.csv",
        correlation="results/tables/correlation.csv",
    output:
        figure("raw_vs_calibrated"),
    log:
        "results/logs/figures/{folder}raw_vs_calibrated.log",
    benchmark:
        "results/benchmarks/figures/{folder}raw_vs_calibrated.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        code=code("plot_raw_vs_calibrated"),
    message:
        "Figure {wildcards.folder}raw_vs_calibrated"
    script:
        "../scripts/plot_raw_vs_calibrated.py"


rule figures:
    """All figures."""
    input:
        expand(
            "figures/{folder}{figure}.{ending}",
            folder=FOLDERS,
            figure=FIGURE_NAMES,
            ending=["pdf", "png", "csv"],
        ),
