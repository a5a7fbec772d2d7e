# Figure 9: alignment as captions say more of what is seen. Levels of captions, their features, a table.

DENSITY = CONFIG["caption_density"] or {}
DENSE_LANGUAGE = [name for name in LANGUAGE if name in DENSITY.get("models", [])]
TRAINED_VISION = [name for name in VISION if SETUP.models[name].init != "random"]
# The first data set whose captions can be made at several densities: it has keywords.
WITH_LEVELS = [
    name for name in DATASETS if DENSE_LANGUAGE and TRAINED_VISION and SETUP.datasets[name].keywords
][:1]


rule make_caption_levels:
    """Captions at several densities of some items, and the control: keywords of another item."""
    input:
        dataset="results/data/{dataset}",
        packages=wheels("datasets"),
    output:
        levels="results/levels/{dataset}/captions.parquet",
    log:
        "results/logs/make_caption_levels/{dataset}.log",
    benchmark:
        "results/benchmarks/make_caption_levels/{dataset}.tsv"
    wildcard_constraints:
        dataset=only(WITH_LEVELS),
    conda:
        "../envs/dataset.yaml"
    params:
        levels=DENSITY.get("levels"),
        drawn=DENSITY.get("items"),
        seed=CONFIG["seed"],
        code=code("make_caption_levels"),
    message:
        "Captions of {wildcards.dataset} at several densities"
    script:
        "../scripts/make_caption_levels.py"


rule extract_caption_levels:
    """Each layer's pooled output for the captions of all levels, each distinct one once."""
    input:
        model="results/models/{model}",
        levels="results/levels/{dataset}/captions.parquet",
    output:
        features="results/levels/{dataset}/{model}.safetensors",
    log:
        "results/logs/extract_caption_levels/{dataset}/{model}.log",
    benchmark:
        "results/benchmarks/extract_caption_levels/{dataset}/{model}.tsv"
    wildcard_constraints:
        model=only(DENSE_LANGUAGE),
    priority: 1
    conda:
        "../envs/language.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        **LOADING_A_MODEL,
        row=row("models"),
        settings=lambda wildcards: SETUP.settings(wildcards.model),
        code=code("extract_caption_levels"),
    message:
        "Features of captions at several densities under {wildcards.model}"
    script:
        "../scripts/extract_caption_levels.py"


rule tabulate_caption_density:
    """Alignment at each level, with intervals and nulls, and the steps between levels."""
    input:
        levels=expand("results/levels/{dataset}/captions.parquet", dataset=WITH_LEVELS),
        language=expand(
            "results/levels/{dataset}/{model}.safetensors", dataset=WITH_LEVELS, model=DENSE_LANGUAGE
        ),
        own=expand(
            "results/features/{dataset}/{model}.safetensors", dataset=WITH_LEVELS, model=DENSE_LANGUAGE
        ),
        vision=expand("results/features/{dataset}/{model}.safetensors", dataset=WITH_LEVELS, model=VISION),
    output:
        table=table("caption_density", "Alignment by the density of captions"),
    log:
        "results/logs/tabulate_caption_density.log",
    benchmark:
        "results/benchmarks/tabulate_caption_density.tsv"
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    params:
        **PREPARATION,
        k=DENSITY.get("k"),
        language=DENSE_LANGUAGE,
        vision=VISION,
        trained=TRAINED_VISION,
        dataset=WITH_LEVELS,
        draws={
            **CONFIG["intervals"],
            "seed": CONFIG["seed"],
            "permutations": CONFIG["calibration"]["permutations"],
            "alpha": CONFIG["calibration"]["alpha"],
        },
        code=code("tabulate_caption_density"),
    message:
        "Alignment by the density of captions"
    script:
        "../scripts/tabulate_caption_density.py"
