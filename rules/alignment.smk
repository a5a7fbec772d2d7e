# From neighbours to the table of alignments.


rule measure_alignment:
    """One metric for every layer pair of every model pair of a tile."""
    input:
        neighbors=tile_neighbors,
    output:
        scores="results/alignment/{dataset}/{metric}/{tile}.parquet",
    log:
        "results/logs/measure_alignment/{dataset}/{metric}/{tile}.log",
    benchmark:
        "results/benchmarks/measure_alignment/{dataset}/{metric}/{tile}.tsv"
    wildcard_constraints:
        tile=r"\d+-\d+",
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    params:
        metric="{metric}",
        models=tile_models,
        pairs=tile_pairs,
        k=CONFIG["alignment"]["k"],
        code=code("measure_alignment"),
    message:
        "Alignment by {wildcards.metric} on {wildcards.dataset}, tile {wildcards.tile}"
    script:
        "../scripts/measure_alignment.py"


rule tabulate_alignment:
    """The best layer pair of every model pair."""
    input:
        tiles=[path for d in DATASETS for m in CONFIG["alignment"]["metrics"] for path in tiles(d, m)],
    output:
        table="results/tables/alignment.csv",
    log:
        "results/logs/tabulate_alignment.log",
    benchmark:
        "results/benchmarks/tabulate_alignment.tsv"
    conda:
        "../envs/statistics.yaml"
    params:
        modality={name: SETUP.models[name].modality for name in MODELS},
        code=code("tabulate_alignment"),
    message:
        "Best layer pair of every model pair"
    script:
        "../scripts/tabulate_alignment.py"


rule correlate:
    """Correlation of alignment with language-model performance, per vision model, with bootstrap intervals."""
    input:
        alignment="results/tables/alignment.csv",
        performance="results/tables/performance.csv",
    output:
        table="results/tables/correlation.csv",
    log:
        "results/logs/correlate.log",
    benchmark:
        "results/benchmarks/correlate.tsv"
    conda:
        "../envs/statistics.yaml"
    params:
        **CONFIG["statistics"],
        seed=CONFIG["seed"],
        code=code("correlate"),
    message:
        "Correlation of alignment with performance"
    script:
        "../scripts/correlate.py"


rule tables:
    """The final tables."""
    input:
        expand("results/tables/{table}.csv", table=["alignment", "performance", "correlation"]),
