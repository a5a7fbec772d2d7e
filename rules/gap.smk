# The modality gap of models with two towers in one space, and what it does.

GAP = CONFIG["modality_gap"] or {}
WITH_GAP = [GAP.get("data") or DATASETS[0]] if GAP else []
OF_TOWERS = Figure(
    PAIRS,
    "Two towers of one space (Liang et al. 2022)",
    {"gap": "results/tables/modality_gap.csv"},
    {
        "models": labels_of(GAP.get("models", [])),
        "caption": verbatim(caption_of(*WITH_GAP).rpartition(" · ")[0]),
    },
    drawn=DATASETS[:1] if WITH_GAP else [],
)


rule measure_gap:
    """Of each such model the gap, the cones, and retrieval and alignment as images are moved towards texts."""
    input:
        features=expand(
            "results/features/{dataset}/{model}.safetensors", dataset=WITH_GAP, model=GAP.get("models", [])
        ),
    output:
        table=table("modality_gap", "How far apart two towers lie"),
    log:
        "results/logs/measure_gap.log",
    benchmark:
        "results/benchmarks/measure_gap.tsv"
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    params:
        dataset=WITH_GAP,
        models=GAP.get("models"),
        shifts=GAP.get("shifts"),
        k=GAP.get("k"),
        draws={**CONFIG["intervals"], "seed": CONFIG["seed"]},
        code=code("measure_gap"),
    message:
        "How far apart two towers lie"
    script:
        "../scripts/measure_gap.py"
