"""Run the notebook by papermill, and turn the executed copy into a page."""

from pathlib import Path

import nbformat
import papermill
from nbconvert import HTMLExporter

from prh.job import job

with job(snakemake) as out:
    given = {key: value for key, value in snakemake.params.items() if key != "code"}
    papermill.execute_notebook(
        snakemake.input.notebook,
        out.notebook,
        parameters=given,
        kernel_name="python3",
        progress_bar=False,
        cwd=".",
    )
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(nbformat.read(out.notebook, as_version=4))
    Path(out.page).write_text(page, encoding="utf-8")
