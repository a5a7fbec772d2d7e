# The neighbours of every item, once per data set and model.

# As many as the metrics that are content with neighbour tables need.
K_MAX = max([k for m, ks in METRICS_USED.items() for k in ks if METRICS[m].family == "neighbors"], default=10)

# Data sets of so many items that their neighbours are found by several jobs for each model, of so many items each.
ROWS_PER_JOB = CONFIG["alignment"]["rows_per_job"]
OF_MANY = [dataset for dataset in DATASETS if items(dataset) > ROWS_PER_JOB]


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
    wildcard_constraints:
        dataset=only([dataset for dataset in SETUP.asked("datasets") if dataset not in OF_MANY]),
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


rule index_rows:
    """Candidates for the nearest neighbours of items of a data set that has many: those of a part compared with half of the others."""
    input:
        features="results/features/{dataset}/{model}.safetensors",
    output:
        candidates="results/neighbor_candidates/{dataset}/{model}/{part}.safetensors",
    log:
        "results/logs/index_rows/{dataset}/{model}/{part}.log",
    benchmark:
        "results/benchmarks/index_rows/{dataset}/{model}/{part}.tsv"
    wildcard_constraints:
        dataset=only(OF_MANY),
        part=r"\d+",
    conda:
        "../envs/alignment.yaml"
    threads: share_of_cores()
    resources:
        mem_mb=memory_of_rows,
    params:
        **PREPARATION,
        k_max=K_MAX,
        part=lambda wildcards: int(wildcards.part),
        size=ROWS_PER_JOB,
        code=code("index_rows"),
    message:
        "Neighbours in {wildcards.dataset} under {wildcards.model}, part {wildcards.part}"
    script:
        "../scripts/index_rows.py"


rule join_neighbors:
    """The neighbour table of a model, of its parts."""
    input:
        features="results/features/{dataset}/{model}.safetensors",  # which the parts are of: for the audit
        candidates=lambda wildcards: [
            f"results/neighbor_candidates/{wildcards.dataset}/{wildcards.model}/{part}.safetensors"
            for part in range(-(-items(wildcards.dataset) // ROWS_PER_JOB))
        ],
    output:
        neighbors="results/neighbors/{dataset}/{model}.safetensors",
    log:
        "results/logs/join_neighbors/{dataset}/{model}.log",
    benchmark:
        "results/benchmarks/join_neighbors/{dataset}/{model}.tsv"
    wildcard_constraints:
        dataset=only(OF_MANY),
    conda:
        "../envs/alignment.yaml"
    resources:
        mem_mb=memory_of_table,
    params:
        **PREPARATION,
        k_max=K_MAX,
        code=code("join_neighbors"),
    message:
        "Neighbours in {wildcards.dataset} under {wildcards.model}"
    script:
        "../scripts/join_neighbors.py"
