# What the paper's own scale needs beside the other rules: models, data and text from the hub, ViTs by timm, benchmarks,
# and the figures that compare with what was published. The configuration is config/paper.yaml.


rule fetch_hub_model:
    """Download a model from the hub at its pinned revision, once; its checksums are verified, weights are safetensors."""
    output:
        model=directory("results/models/{model}"),
    log:
        "results/logs/fetch_model/{model}.log",
    benchmark:
        "results/benchmarks/fetch_model/{model}.tsv"
    wildcard_constraints:
        model=only(HUB_MODELS),
    priority: 4
    conda:
        "../envs/language.yaml"
    resources:
        runtime=minutes_of_model,
    params:
        row=row("models"),
        code=code("fetch_hub_model"),
    message:
        "Fetching model {wildcards.model} from the hub"
    script:
        "../scripts/fetch_hub_model.py"


rule fetch_hub_dataset:
    """Make a data set of images and captions from the hub, or from its mirror."""
    output:
        dataset=directory("results/data/{dataset}"),
    log:
        "results/logs/fetch_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/fetch_dataset/{dataset}.tsv"
    wildcard_constraints:
        dataset=only(HUB_DATASETS),
    priority: 5
    conda:
        "../envs/dataset.yaml"
    params:
        row=row("datasets"),
        code=code("fetch_hub_dataset"),
    message:
        "Fetching data set {wildcards.dataset} from the hub"
    script:
        "../scripts/fetch_hub_dataset.py"


rule fetch_hub_corpus:
    """Take the first documents of a text on the hub, so many tokens of a named tokenizer: the same bytes for all models."""
    output:
        text="results/corpora/{corpus}.txt",
    log:
        "results/logs/fetch_corpus/{corpus}.log",
    benchmark:
        "results/benchmarks/fetch_corpus/{corpus}.tsv"
    wildcard_constraints:
        corpus=only(HUB_CORPORA),
    priority: 4
    conda:
        "../envs/language.yaml"
    params:
        row=row("corpora"),
        code=code("fetch_hub_corpus"),
    message:
        "Taking the text {wildcards.corpus} from the hub"
    script:
        "../scripts/fetch_hub_corpus.py"


rule extract_timm_features:
    """The class token of every block of a ViT, before the final norm: one tensor (n, d) per block."""
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
        model=only(TIMM),
    priority: 2
    conda:
        "../envs/timm.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        row=row("models"),
        batch_images=CONFIG["features"]["batch_images"],
        device=CONFIG["device"],
        code=code("extract_timm_features"),
    message:
        "Features of {wildcards.dataset} under {wildcards.model}"
    script:
        "../scripts/extract_timm_features.py"


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
        model=only(CAUSAL),
    priority: 3
    conda:
        "../envs/language.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        batch_tokens=CONFIG["features"]["batch_tokens"],
        weights=weights,
        device=CONFIG["device"],
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
        model=only(CAUSAL),
    conda:
        "../envs/downstream.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        tasks=CONFIG["performance"]["tasks"],
        limit=CONFIG["performance"]["task_limit"],
        weights=weights,
        device=CONFIG["device"],
        code=code("evaluate_downstream"),
    message:
        "Benchmarks of {wildcards.model}"
    script:
        "../scripts/evaluate_downstream.py"


CAPTION_SCORES = [
    f"results/captions/{DATASETS[0]}/{m}.json" for m in CAUSAL if CONFIG["performance"]["captions"]
]


rule tabulate_downstream:
    """Benchmark scores and bits-per-byte on the captions; published benchmark scores where none was measured."""
    input:
        captions=CAPTION_SCORES,
        downstream=[f"results/downstream/{m}.json" for m in CAUSAL if CONFIG["performance"]["tasks"]],
        published=[find(path) for path in [CONFIG["performance"]["published"]] if path],
    output:
        table=table("downstream", "Benchmarks and bits per byte of the captions"),
    log:
        "results/logs/tabulate_downstream.log",
    benchmark:
        "results/benchmarks/tabulate_downstream.tsv"
    conda:
        "../envs/statistics.yaml"
    params:
        models=CAUSAL,
        code=code("tabulate_downstream"),
    message:
        "Benchmark scores of the language models"
    script:
        "../scripts/tabulate_downstream.py"


rule plot_alignment_vs_downstream:
    """Figure 4 of the paper: benchmark scores over alignment with one vision model."""
    input:
        alignment="results/tables/alignment.csv",
        downstream="results/tables/downstream.csv",
    output:
        figure("alignment_vs_downstream"),
    log:
        "results/logs/figures/{folder}alignment_vs_downstream.log",
    benchmark:
        "results/benchmarks/figures/{folder}alignment_vs_downstream.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        vision=CONFIG["figures"]["downstream_vision"],
        code=code("plot_alignment_vs_downstream"),
    message:
        "Figure {wildcards.folder}alignment_vs_downstream"
    script:
        "../scripts/plot_alignment_vs_downstream.py"


rule plot_reproduced_vs_published:
    """Published numbers beside those of this run, with the difference."""
    input:
        alignment="results/tables/alignment.csv",
        downstream="results/tables/downstream.csv",
        published=[find(path) for path in [CONFIG["figures"]["published"]] if path],
    output:
        figure("reproduced_vs_published"),
    log:
        "results/logs/figures/{folder}reproduced_vs_published.log",
    benchmark:
        "results/benchmarks/figures/{folder}reproduced_vs_published.tsv"
    conda:
        "../envs/figures.yaml"
    params:
        **FIGURE_PARAMS,
        sets={name: row.sets.split() for name, row in SETUP.models.items() if row.sets},
        concatenate=CONFIG["alignment"]["concatenate_layers"],
        code=code("plot_reproduced_vs_published"),
    message:
        "Figure {wildcards.folder}reproduced_vs_published"
    script:
        "../scripts/plot_reproduced_vs_published.py"
