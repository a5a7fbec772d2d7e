# Features: once per data set and model, never per pair.

# What extraction takes, whole or in shards; what is merged of shards is of the same, so that an edit runs it again.
EXTRACTING = {
    "weights": LOADING_A_MODEL["weights"],
    "row": row("models"),
    "settings": settings_of,
    # which is all that figure 2 takes
    "last_only": lambda wildcards: wildcards.dataset not in DATASETS + WITH_LEVELS + WITH_PARTS,
    "store": CONFIG["features"]["store"],
}
EXTRACTION = code_of("extract_features", "models", module_of)

for environment in dict.fromkeys(facts.environment for facts in ADAPTERS.values()):

    rule:
        """Each layer's pooled output for every pair of a data set: one tensor (n, d) per layer."""
        name:
            f"extract_{environment}_features"
        input:
            model="results/models/{model}",
            dataset=data_of,
        output:
            features="results/features/{dataset}/{model}.safetensors",
        log:
            "results/logs/extract_features/{dataset}/{model}.log",
        benchmark:
            "results/benchmarks/extract_features/{dataset}/{model}.tsv"
        wildcard_constraints:
            model=only(SETUP.run_in(environment)),
        priority: 1 if environment == "language" else 2
        conda:
            f"../envs/{environment}.yaml"
        threads: share_of_cores()
        resources:
            **RUNNING_A_MODEL,
        params:
            **EXTRACTING,
            device=CONFIG["device"],
            code=EXTRACTION,
        message:
            "Features of {wildcards.dataset} under {wildcards.model}"
        script:
            "../scripts/extract_features.py"

    rule:
        """The same for some of the pairs, a shard of a large data set; gone when all are merged."""
        name:
            f"extract_{environment}_shard"
        input:
            model="results/models/{model}",
            dataset="results/data/{dataset}",
        output:
            features=temp("results/shards/{dataset}/{model}/{shard}.safetensors"),
        log:
            "results/logs/extract_features/{dataset}/{model}/{shard}.log",
        benchmark:
            "results/benchmarks/extract_features/{dataset}/{model}/{shard}.tsv"
        wildcard_constraints:
            dataset=only(SHARDED),
            model=only([name for name in SETUP.by_item() if name in SETUP.run_in(environment)]),
            shard=r"\d+",
        priority: 1 if environment == "language" else 2
        conda:
            f"../envs/{environment}.yaml"
        threads: share_of_cores()
        resources:
            **{**RUNNING_A_MODEL, "mem_mb": memory_of_shard},
        params:
            **EXTRACTING,
            device=CONFIG["device"],
            part=items_of_shard,
            code=EXTRACTION,
        message:
            "Features of {wildcards.dataset}, shard {wildcards.shard}, under {wildcards.model}"
        script:
            "../scripts/extract_features.py"

    # Both make features: of a data set that goes in shards they are merged, but where the model cannot take it so.
    workflow.ruleorder("merge_features", f"extract_{environment}_features")


rule merge_features:
    """The shards of a model's features in one file, layer by layer, none of them held in memory."""
    input:
        shards=shards,
    output:
        features="results/features/{dataset}/{model}.safetensors",
    log:
        "results/logs/merge_features/{dataset}/{model}.log",
    benchmark:
        "results/benchmarks/merge_features/{dataset}/{model}.tsv"
    wildcard_constraints:
        dataset=only(SHARDED),
        model=only(SETUP.by_item()),
    priority: 3
    conda:
        "../envs/alignment.yaml"
    resources:
        runtime=minutes_of_merge,
    params:
        **EXTRACTING,
        items_per_shard=CONFIG["features"]["items_per_shard"],
        extraction=EXTRACTION,
        code=code("merge_features"),
    message:
        "Merging the features of {wildcards.dataset} under {wildcards.model}"
    script:
        "../scripts/merge_features.py"
