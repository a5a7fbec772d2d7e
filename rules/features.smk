# The two caches: once per data set and model, never per pair.


rule extract_language_features:
    """Every hidden state of every caption, averaged over its tokens: one tensor (n, d) per layer."""
    input:
        model="results/models/{model}",
        dataset="results/data/{dataset}",
    output:
        features="results/features/{dataset}/{model}.safetensors",
    log:
        "results/logs/extract_features/{dataset}/{model}.log",
    benchmark:
        "results/benchmarks/extract_features/{dataset}/{model}.tsv"
    wildcard_constraints:
        model="|".join(LANGUAGE),
    priority: 1
    conda:
        "../envs/language.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        row=row("models"),
        batch_tokens=CONFIG["features"]["batch_tokens"],
        options={key: CONFIG["features"][key] for key in ("mode", "pooling", "prompt")},
        weights=weights,
        device=CONFIG["device"],
        code=code("extract_language_features"),
    message:
        "Features of {wildcards.dataset} under {wildcards.model}"
    script:
        "../scripts/extract_language_features.py"


rule extract_vision_features:
    """The pooled output of every stage or block for every image: one tensor (n, d) per layer."""
    input:
        model="results/models/{model}",
        dataset="results/data/{dataset}",
    output:
        features="results/features/{dataset}/{model}.safetensors",
    log:
        "results/logs/extract_features/{dataset}/{model}.log",
    benchmark:
        "results/benchmarks/extract_features/{dataset}/{model}.tsv"
    wildcard_constraints:
        model=only(VISION, but=TIMM),
    priority: 2
    conda:
        "../envs/vision.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        row=row("models"),
        batch_images=CONFIG["features"]["batch_images"],
        device=CONFIG["device"],
        code=code("extract_vision_features"),
    message:
        "Features of {wildcards.dataset} under {wildcards.model}"
    script:
        "../scripts/extract_vision_features.py"


rule index_neighbors:
    """The nearest neighbours of every item in every layer, clamped and normalised as the protocol says."""
    input:
        features="results/features/{dataset}/{model}.safetensors",
    output:
        neighbors="results/neighbors/{dataset}/{model}.safetensors",
    log:
        "results/logs/index_neighbors/{dataset}/{model}.log",
    benchmark:
        "results/benchmarks/index_neighbors/{dataset}/{model}.tsv"
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    resources:
        mem_mb=memory_of_features,
    params:
        **PREPARATION,
        k_max=K_MAX,
        code=code("index_neighbors"),
    message:
        "Neighbours in {wildcards.dataset} under {wildcards.model}"
    script:
        "../scripts/index_neighbors.py"
