# How good the language models are.


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
        window=CONFIG["performance"]["window"],
        stride=CONFIG["performance"]["stride"],
        weights=weights,
        device=CONFIG["device"],
        code=code("score_language_model"),
    message:
        "Bits per byte of {wildcards.model} on {wildcards.corpus}"
    script:
        "../scripts/score_language_model.py"


rule tabulate_performance:
    """The scores of all language models."""
    input:
        scores=expand("results/performance/{corpus}/{model}.json", corpus=CORPUS, model=CAUSAL),
    output:
        table=table("performance", "Bits per byte of the language models"),
    log:
        "results/logs/tabulate_performance.log",
    benchmark:
        "results/benchmarks/tabulate_performance.tsv"
    conda:
        "../envs/statistics.yaml"
    params:
        code=code("tabulate_performance"),
    message:
        "Scores of the language models"
    script:
        "../scripts/tabulate_performance.py"
