"""The library behind the workflow: importable and testable without Snakemake."""
