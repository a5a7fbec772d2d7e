# What layers are like, and at which distances the best ones of chosen pairs agree.

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
