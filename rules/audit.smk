# Is what lies there what it says it is? And a run to send to others.


rule audit:
    """Check every artifact that is there against its record, its inputs and its meaning, and make a sample of them again.

    It asks for nothing and declares nothing, not even a benchmark, so that it runs whenever it is asked for, makes
    nothing anew before it has looked, and leaves its table in results/audit/ when it fails.
    """
    log:
        "results/logs/audit.log",
    conda:
        "../envs/audit.yaml"
    params:
        packages=str(find(CONFIG["tables"]["packages"])),
        samples=CONFIG["audit"]["samples"],
        seed=CONFIG["seed"],
        code=code("audit"),
    message:
        "Auditing all artifacts"
    script:
        "../scripts/audit.py"


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
        title=verbatim(CONFIG["title"]),
        large=CONFIG["crate"]["features"],
        code=code("crate"),
    message:
        "Packing the crate of the run"
    script:
        "../scripts/crate.py"
