# From neighbours to the table of alignments.


rule measure_alignment:
    """One metric for every layer pair of every model pair of a tile."""
    input:
        models=tile_inputs,
    output:
        scores="results/alignment/{dataset}/{metric}/{tile}.parquet",
    log:
        "results/logs/measure_alignment/{dataset}/{metric}/{tile}.log",
    benchmark:
        "results/benchmarks/measure_alignment/{dataset}/{metric}/{tile}.tsv"
    wildcard_constraints:
        metric=only([name for name in METRICS_USED if name not in OF_DISTANCES]),
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    resources:
        mem_mb=memory_of_tile,
    params:
        **PREPARATION,
        metrics=lambda wildcards: {name: METRICS_USED[name] for name in metrics_of(wildcards)},
        models=tile_models,
        pairs=tile_pairs,
        code=code("measure_alignment"),
    message:
        "Alignment by {wildcards.metric} on {wildcards.dataset}, tile {wildcards.tile}"
    script:
        "../scripts/measure_alignment.py"


if OF_DISTANCES:  # the distances of a layer are found once for all of them

    use rule measure_alignment as measure_by_distances with:
        output:
            **{name: f"results/alignment/{{dataset}}/{name}/{{tile}}.parquet" for name in OF_DISTANCES},
        log:
            "results/logs/measure_by_distances/{dataset}/{tile}.log",
        benchmark:
            "results/benchmarks/measure_by_distances/{dataset}/{tile}.tsv"
        wildcard_constraints:
            tile=r"\d+-\d+",
        message:
            "Alignment by distances on {wildcards.dataset}, tile {wildcards.tile}"


rule calibrate_alignment:
    """Permutation nulls of a tile's pairs across modalities, or of all: p-values, thresholds, calibrated scores, intervals."""
    input:
        models=tile_inputs,
    output:
        scores="results/calibration/{dataset}/{metric}/{tile}.parquet",
    log:
        "results/logs/calibrate_alignment/{dataset}/{metric}/{tile}.log",
    benchmark:
        "results/benchmarks/calibrate_alignment/{dataset}/{metric}/{tile}.tsv"
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    resources:
        mem_mb=memory_of_tile,
    params:
        **CONFIG["intervals"],
        **PREPARATION,
        metric="{metric}",
        models=tile_models,
        pairs=calibrated_pairs,
        k=lambda wildcards: CALIBRATED[wildcards.metric],
        permutations=CONFIG["calibration"]["permutations"],
        alpha=CONFIG["calibration"]["alpha"],
        seed=CONFIG["seed"],
        code=code("calibrate_alignment"),
    message:
        "Null of {wildcards.metric} on {wildcards.dataset}, tile {wildcards.tile}"
    script:
        "../scripts/calibrate_alignment.py"


rule tabulate_alignment:
    """The best layer pair of every model pair."""
    input:
        tiles=[path for d in DATASETS for m in METRICS_USED for path in tiles(d, m)],
        calibrated=[p for d in DATASETS for m in CALIBRATED for p in tiles(d, m, "calibration")],
    output:
        table=table("alignment", "The score of every pair of models"),
    log:
        "results/logs/tabulate_alignment.log",
    benchmark:
        "results/benchmarks/tabulate_alignment.tsv"
    conda:
        "../envs/tables.yaml"
    params:
        **FITTED,
        modality={name: SETUP.models[name].modality for name in MODELS},
        code=code("tabulate_alignment"),
    message:
        "Best layer pair of every model pair"
    script:
        "../scripts/tabulate_alignment.py"
