# Figure 9: alignment as captions say more of what is seen. Levels of captions, their features, a table.

from types import SimpleNamespace

DENSITY = CONFIG["caption_density"] or {}
DENSE_LANGUAGE = [name for name in LANGUAGE if name in DENSITY.get("models", [])]
TRAINED_VISION = [name for name in VISION if SETUP.models[name].init != "random"]
# The data set of the levels: the one that is named; else, unless captions are summarised, the first that has keywords.
SUMMARISER = DENSITY.get("summariser")
NAMED = [DENSITY["data"]] if DENSITY.get("data") else []
WITH_LEVELS = (NAMED or [name for name in DATASETS if SETUP.datasets[name].keywords and not SUMMARISER])[:1]
if not (DENSE_LANGUAGE and TRAINED_VISION):
    WITH_LEVELS = []
SUMMARISING = SimpleNamespace(model=SUMMARISER)


rule summarise_captions:
    """What an instruct model makes of long captions in so many words, greedily, with the words that it took."""
    input:
        model=f"results/models/{SUMMARISER}",
        dataset="results/data/{dataset}",
    output:
        summaries="results/levels/{dataset}/summaries.parquet",
    log:
        "results/logs/summarise_captions/{dataset}.log",
    benchmark:
        "results/benchmarks/summarise_captions/{dataset}.tsv"
    wildcard_constraints:
        dataset=only(WITH_LEVELS if SUMMARISER else []),
    conda:
        "../envs/language.yaml"
    threads: share_of_cores()
    resources:
        mem_mb=lambda wildcards, attempt: memory_of_model(SUMMARISING, attempt),
        runtime=lambda wildcards, attempt: minutes_of_model(SUMMARISING, attempt),
        gpu=lambda wildcards: gpus_of_model(SUMMARISING),
    params:
        weights=lambda wildcards: SETUP.weights(SUMMARISER),
        device=CONFIG["device"],
        levels=DENSITY.get("levels"),
        drawn=DENSITY.get("items"),
        seed=CONFIG["seed"],
        code=code("summarise_captions"),
    message:
        f"Captions of {{wildcards.dataset}} in few words, by {SUMMARISER}"
    script:
        "../scripts/summarise_captions.py"


rule make_caption_levels:
    """Captions at several densities of some items, and the control: what is said of another item."""
    input:
        dataset="results/data/{dataset}",
        packages=lambda wildcards: [] if SUMMARISER else wheels("datasets")(wildcards),
        summaries="results/levels/{dataset}/summaries.parquet" if SUMMARISER else [],
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
            "results/features/{dataset}/{model}.safetensors",
            dataset=[] if SUMMARISER else WITH_LEVELS,
            model=DENSE_LANGUAGE,
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
