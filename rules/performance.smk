# How good the language models are, and how that goes with alignment.


rule score_language_model:
    """Bits per byte of a causal language model on a text that is the same bytes for all."""
    input:
        model="results/models/{model}",
        text="results/corpora/{corpus}.txt",
    output:
        score="results/performance/{corpus}/{model}.json",
    log:
        "results/logs/score_language_model/{corpus}/{model}.log",
    benchmark:
        "results/benchmarks/score_language_model/{corpus}/{model}.tsv"
    priority: 3
    conda:
        "../envs/language.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        **LOADING_A_MODEL,
        window=CONFIG["performance"]["window"],
        stride=CONFIG["performance"]["stride"],
        code=code("score_language_model"),
    message:
        "Bits per byte of {wildcards.model} on {wildcards.corpus}"
    script:
        "../scripts/score_language_model.py"


rule score_captions:
    """Bits per byte of the captions under a language model: what the official code takes for performance."""
    input:
        model="results/models/{model}",
        dataset="results/data/{dataset}",
    output:
        score="results/captions/{dataset}/{model}.json",
    log:
        "results/logs/score_captions/{dataset}/{model}.log",
    benchmark:
        "results/benchmarks/score_captions/{dataset}/{model}.tsv"
    wildcard_constraints:
        model=only(SCORED),
    priority: 3
    conda:
        "../envs/language.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        **LOADING_A_MODEL,
        batch_tokens=CONFIG["features"]["batch_tokens"],
        code=code("score_captions"),
    message:
        "Bits per byte of {wildcards.model} on the captions of {wildcards.dataset}"
    script:
        "../scripts/score_captions.py"


rule evaluate_downstream:
    """A language model on benchmarks, by lm-eval; the benchmarks' questions come from the hub."""
    input:
        model="results/models/{model}",
    output:
        scores="results/downstream/{model}.json",
    log:
        "results/logs/evaluate_downstream/{model}.log",
    benchmark:
        "results/benchmarks/evaluate_downstream/{model}.tsv"
    wildcard_constraints:
        model=only(SCORED),
    conda:
        "../envs/downstream.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        **LOADING_A_MODEL,
        tasks=CONFIG["performance"]["tasks"],
        limit=CONFIG["performance"]["task_limit"],
        code=code("evaluate_downstream"),
    message:
        "Benchmarks of {wildcards.model}"
    script:
        "../scripts/evaluate_downstream.py"


ASKED = CONFIG["performance"]  # what each table here, by name and title, is made from:
TABULATED = {
    ("performance", "Bits per byte of the language models"): {
        "scores": [f"results/performance/{CORPUS}/{model}.json" for model in SCORED],
        "published": [find(path) for path in [ASKED["published_bits"]] if UNSCORED],
    },
    ("downstream", "Benchmarks and bits per byte of the captions"): {
        "captions": [f"results/captions/{DATASETS[0]}/{m}.json" for m in SCORED if ASKED["captions"]],
        "downstream": [f"results/downstream/{m}.json" for m in SCORED if ASKED["tasks"]],
        "published": [find(path) for path in [ASKED["published"]] if path],
    },
}

for (name, title), files in TABULATED.items():

    rule:
        """What was measured of all language models, and published scores where none was, as one table."""
        name:
            f"tabulate_{name}"
        input:
            **files,
        output:
            table=table(name, title),
        log:
            f"results/logs/tabulate_{name}.log",
        benchmark:
            f"results/benchmarks/tabulate_{name}.tsv"
        conda:
            "../envs/tables.yaml"
        params:
            table=name,
            models=SCORED,
            unscored=UNSCORED,
            code=code(f"tabulate_{name}"),
        message:
            title
        script:
            "../scripts/tabulate_{params.table}.py"


rule correlate:
    """Correlation of alignment with language-model performance, per vision model, with bootstrap intervals."""
    input:
        alignment="results/tables/alignment.csv",
        performance="results/tables/performance.csv",
    output:
        table=table("correlation", "Correlation of alignment with performance"),
    log:
        "results/logs/correlate.log",
    benchmark:
        "results/benchmarks/correlate.tsv"
    conda:
        "../envs/tables.yaml"
    params:
        **CONFIG["intervals"],
        datasets=DATASETS,
        seed=CONFIG["seed"],
        code=code("correlate"),
    message:
        "Correlation of alignment with performance"
    script:
        "../scripts/correlate.py"
