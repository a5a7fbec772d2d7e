# How alignment depends on how many items there are: chosen pairs of models on parts of a data set, from cached features.

OVER_N = CONFIG["alignment_over_n"] or {}
OVER_PAIRS = [sorted(pair, key=POSITION.get) for pair in SETUP.pairs_over_n()]
WITH_PARTS = SETUP.data_over_n()  # the data set, if there is a pair
OVER_MODELS = [name for name in MODELS if name in sum(OVER_PAIRS, [])]
OF_PARTS = Figure(
    BESIDE_THE_PAPER,
    "Alignment as items are added",
    {"table": "results/tables/alignment_over_n.csv"}
    | {"published": [find(path) for path in [OVER_N.get("published")] if path]},
    {
        "models": labels_of(OVER_MODELS),
        "caption": verbatim(caption_of(*WITH_PARTS)),
        "share": OVER_N.get("share"),
        "k": OVER_N.get("k"),
    },
    drawn=DATASETS[:1] if WITH_PARTS else [],
    numbers="over n",
)


rule measure_over_n:
    """Mutual k-NN of each such pair on parts of the items, k fixed and k a share of n, each with its null."""
    input:
        features=expand(
            "results/features/{dataset}/{model}.safetensors", dataset=WITH_PARTS, model=OVER_MODELS
        ),
    output:
        table=table("alignment_over_n", "Alignment as items are added"),
    log:
        "results/logs/measure_over_n.log",
    benchmark:
        "results/benchmarks/measure_over_n.tsv"
    priority: 2  # one long job at the paper's scale, that nothing but its figure waits for
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    resources:
        mem_mb=memory_over_n,
    params:
        **PREPARATION,
        dataset=WITH_PARTS,
        models=OVER_MODELS,
        pairs=OVER_PAIRS,
        sizes=OVER_N.get("sizes"),
        draws=OVER_N.get("draws"),
        k=OVER_N.get("k"),
        share=OVER_N.get("share"),
        null={
            **CONFIG["intervals"],
            "permutations": OVER_N.get("permutations"),
            "alpha": CONFIG["calibration"]["alpha"],
            "seed": CONFIG["seed"],
        },
        code=code("measure_over_n"),
    message:
        "Alignment as items are added"
    script:
        "../scripts/measure_over_n.py"
