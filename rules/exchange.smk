# A run to send to others.


rule crate:
    """The RO-Crate of the run: workflow, configuration, tables, figures, records, licences; features if asked for."""
    input:
        rules.tables.input,
        rules.figures.input,
    output:
        crate="results/crate.zip",
    log:
        "results/logs/crate.log",
    benchmark:
        "results/benchmarks/crate.tsv"
    conda:
        "../envs/crate.yaml"
    params:
        config=CONFIG,
        title=CONFIG["title"],
        large=CONFIG["exchange"]["features"],
        code=code("exchange"),
    message:
        "Packing the crate of the run"
    script:
        "../scripts/exchange.py"
