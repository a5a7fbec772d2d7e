# The figures: PDF, PNG, and a CSV with exactly the numbers drawn. A figure is a row of FIGURES, a script plot_NAME.py and a
# caption report/NAME.rst; docs/extending.md adds one.
FIGURES = {
    "alignment_vs_performance": Figure(
        MAIN, "Alignment over language-model performance (figure 3)", *OVER_PERFORMANCE
    ),
    "alignment_by_caption_density": Figure(
        MAIN,
        "Alignment as captions say more (figure 9)",
        {"density": "results/tables/caption_density.csv"},
        COMMON | {"k": DENSITY.get("k"), "caption": verbatim(caption_of(*WITH_LEVELS))},
        drawn=DATASETS[:1] if WITH_LEVELS else [],
    ),
    "colour_geometry": Figure(
        MAIN,
        "Colours by what goes with what (figure 8)",
        {"colours": "results/tables/colours.csv", "places": "results/colour/places.csv"},
        OF_COLOURS,
        drawn=DATASETS[:1] if COLOURS else [],
    ),
    "alignment_matrix": Figure(PAIRS, "All models by all models", ALIGNMENT),
    "layer_alignment": Figure(
        PAIRS, "Layer by layer", TILES, COMMON | {"pairs": LAYER_PAIRS}, drawn=bool(LAYER_PAIRS)
    ),
    "layers_described": Figure(
        PAIRS, "What the layers are like", {"layers": "results/tables/layers.csv"}, OF_DATA
    ),
    "alignment_by_distance_window": Figure(
        PAIRS,
        "At which distances models agree",
        {"windows": "results/tables/distance_windows.csv"},
        drawn=bool(LAYER_PAIRS),
    ),
    "neighbours_vs_distances": Figure(
        PAIRS,
        "Neighbours and distances (Groeger et al. 2026)",
        ALIGNMENT,
        COMMON | {"k": AT_EQUAL_K and AT_EQUAL_K[0]},
        drawn=BOTH and bool(AT_EQUAL_K),
    ),
    "modality_gap": OF_TOWERS,
    "alignment_by_metric": Figure(
        WHICH_METRIC, "The main figure by every metric (figures 13, 14)", *OVER_PERFORMANCE
    ),
    "cknna_by_k": Figure(
        WHICH_METRIC,
        "CKNNA from few neighbours to many (figure 10)",
        ALIGNMENT,
        drawn=BOTH and any(METRICS[metric].family == "cknna" for metric in METRICS_USED),
        numbers="sweep",
    ),
    "metric_agreement": Figure(
        WHICH_METRIC,
        "Do metrics order pairs of models alike? (figure 12)",
        ALIGNMENT,
        drawn=len(CONFIG["alignment"]["metrics"]) > 1,
        numbers="agreement",
    ),
    "metric_properties": Figure(
        WHICH_METRIC,
        "What holds of each metric (figure 11)",
        {},
        {
            "caption": verbatim(f"{CONFIG['title']} · facts of the metrics, not of this run's data"),
            "metrics": CONFIG["alignment"]["metrics"],
        },
    ),
    "raw_vs_calibrated": Figure(
        CHANCE,
        "Before and after null calibration (Groeger et al. 2026)",
        ALIGNMENT | CORRELATION,
        drawn=bool(CALIBRATED),
    ),
    "alignment_over_n": OF_PARTS,
    "published_alignment": Figure(
        BESIDE_THE_PAPER,
        "The paper's claim in numbers that others published (figures 3, 4)",
        NUMBERS | {"benchmarks": local(f"{BASE}/config/published/benchmarks.tsv")},
        {
            **CONFIG["intervals"],
            "seed": CONFIG["seed"],
            "caption": "published numbers; this run computed r and its interval only",
        },
        numbers="claim",
    ),
    "published_by_metric": Figure(
        BESIDE_THE_PAPER,
        "Alignment and chance by metric and k in numbers that others published",
        NUMBERS,
        {"caption": "published numbers; this run computed nothing in this figure"},
        numbers="means",
    ),
    "alignment_vs_downstream": Figure(
        BESIDE_THE_PAPER,
        "Benchmark scores over alignment (figure 4)",
        ALIGNMENT | DOWNSTREAM,
        COMMON | {"vision": CONFIG["figures"]["downstream_vision"]},
        drawn=BOTH and bool(CONFIG["figures"]["downstream_vision"]),
    ),
    "reproduced_vs_published": Figure(
        BESIDE_THE_PAPER,
        "Published numbers and this run's",
        ALIGNMENT | PERFORMANCE | DOWNSTREAM | PUBLISHED,
        COMMON
        | {
            "sets": {name: row.sets.split() for name, row in SETUP.models.items() if row.sets},
            "concatenate": CONFIG["alignment"]["concatenate_layers"],
        },
        drawn=bool(CONFIG["figures"]["published"]),
        numbers="comparison",
    ),
    "vision_convergence": Figure(
        PAIRS, "Vision models by what they solve (figure 2)", CONVERGED, OF_PANEL, WITH_PANEL, "convergence"
    ),
    "vision_map": Figure(PAIRS, "A map of vision models (figure 2)", PLACED, OF_PANEL, WITH_PANEL, "map"),
}


for name, figure in FIGURES.items():

    rule:
        """Draw a figure, and write the numbers that it shows."""
        name:
            f"plot_{name}"
        input:
            **figure.inputs,
        output:
            **files_of(name, figure),
        log:
            f"results/logs/figures/{{folder}}{name}.log",
        benchmark:
            f"results/benchmarks/figures/{{folder}}{name}.tsv"
        group:
            "end"  # with the tables, as one job of a cluster: see profiles/slurm
        conda:
            "../envs/figures.yaml"
        params:
            **figure.params,
            figure=name,
            numbers=figure.numbers,
            code=code(f"plot_{name}"),
        message:
            f"Figure {{wildcards.folder}}{name}"
        script:
            "../scripts/plot_{params.figure}.py"  # the loop's own variable would be read when the job runs
