# How far apart language models of one tokenizer are as distributions: log-likelihoods of the same labels, a table of distances.

LIKELIHOODS = CONFIG["performance"]["likelihoods"]
# Models of one family have one tokenizer; the table's rule says so if they have not.
SIBLINGS = [
    (x, y)
    for x, y in combinations(SCORED if LIKELIHOODS else [], 2)
    if SETUP.models[x].family == SETUP.models[y].family
]
RELATIVES = list(dict.fromkeys(name for pair in SIBLINGS for name in pair))


# Their bits per byte and their likelihoods are of one pass over the text, so that a model is loaded once.
use rule score_language_model as score_with_likelihoods with:
    output:
        score="results/performance/{corpus}/{model}.json",
        likelihoods="results/likelihoods/{corpus}/{model}.safetensors",
    log:
        "results/logs/score_with_likelihoods/{corpus}/{model}.log",
    benchmark:
        "results/benchmarks/score_with_likelihoods/{corpus}/{model}.tsv"
    wildcard_constraints:
        model=only(RELATIVES),
    params:
        **(LIKELIHOODS or {}),
    message:
        "Bits per byte of {wildcards.model} on {wildcards.corpus}, and likelihoods of labels"


ruleorder: score_with_likelihoods > score_language_model


rule tabulate_likelihoods:
    """How far apart models of one family are: d_logit and d_LLV."""
    input:
        likelihoods=expand("results/likelihoods/{corpus}/{model}.safetensors", corpus=CORPUS, model=RELATIVES),
    output:
        table=table("likelihood_distances", "Language models of one family as distributions"),
    log:
        "results/logs/tabulate_likelihoods.log",
    benchmark:
        "results/benchmarks/tabulate_likelihoods.tsv"
    conda:
        "../envs/alignment.yaml"
    params:
        **CONFIG["intervals"],
        models=RELATIVES,
        pairs=SIBLINGS,
        widths={name: SETUP.size(name).width for name in RELATIVES},
        seed=CONFIG["seed"],
        code=code("tabulate_likelihoods"),
    message:
        "Language models of one family as distributions"
    script:
        "../scripts/tabulate_likelihoods.py"
