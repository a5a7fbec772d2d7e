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
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    resources:
        mem_mb=memory_of_tile,
    params:
        **PREPARATION,
        metric="{metric}",
        models=tile_models,
        pairs=tile_pairs,
        k=lambda wildcards: METRICS_USED[wildcards.metric],
        code=code("measure_alignment"),
    message:
        "Alignment by {wildcards.metric} on {wildcards.dataset}, tile {wildcards.tile}"
    script:
        "../scripts/measure_alignment.py"


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


OF_LAYERS = [(dataset, model) for dataset in DATASETS for model in MODELS]


rule describe_layers:
    """What each layer is like: cone, effective dimension, norm, share of values clamped."""
    input:
        features=[f"results/features/{d}/{m}.safetensors" for d, m in OF_LAYERS],
    output:
        table=table("layers", "What the layers of the models are like"),
    log:
        "results/logs/describe_layers.log",
    benchmark:
        "results/benchmarks/describe_layers.tsv"
    conda:
        "../envs/alignment.yaml"
    params:
        clamp=PREPARATION["clamp"],
        of=OF_LAYERS,
        code=code("describe_layers"),
    message:
        "What the layers are like"
    script:
        "../scripts/describe_layers.py"


OF_WINDOWS = [(d, m) for d, m in OF_LAYERS if m in sum(LAYER_PAIRS, [])]


rule measure_windows:
    """At which distances chosen pairs of models agree, at the best layers of the main metric."""
    input:
        tiles=[path for d in DATASETS for path in tiles_holding(d, LAYER_PAIRS)],
        features=[f"results/features/{d}/{m}.safetensors" for d, m in OF_WINDOWS],
    output:
        table=table("distance_windows", "At which distances models agree"),
    log:
        "results/logs/measure_windows.log",
    benchmark:
        "results/benchmarks/measure_windows.tsv"
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    params:
        **PREPARATION,
        of=OF_WINDOWS,
        datasets=DATASETS,
        pairs=LAYER_PAIRS,
        metric=CONFIG["alignment"]["metrics"][0],
        edges=CONFIG["figures"]["distance_windows"],
        draws={
            **CONFIG["intervals"],
            "count": CONFIG["calibration"]["permutations"],
            "alpha": CONFIG["calibration"]["alpha"],
            "seed": CONFIG["seed"],
        },
        code=code("measure_windows"),
    message:
        "At which distances models agree"
    script:
        "../scripts/measure_windows.py"
