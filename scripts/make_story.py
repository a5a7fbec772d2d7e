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
    unused = "data:,"  # no formulas, no widgets: the page asks no network for their scripts
    exporter = HTMLExporter(
        embed_images=True,
        mathjax_url=unused,
        require_js_url=unused,
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )  # whoever wants to see the code opens the notebook
    page, _ = exporter.from_notebook_node(nbformat.read(out.notebook, as_version=4))
    Path(out.page).write_text(page, encoding="utf-8")
