"""Run the notebook by papermill, and turn the executed copy into a page."""

import os
from pathlib import Path

import nbformat
import papermill
from nbconvert import HTMLExporter

from prh.errors import InputError
from prh.job import job
from prh.report import story

with job(snakemake) as out:
    given = {key: value for key, value in snakemake.params.items() if key != "code"}
    paths = [str(Path(story.__file__).parents[2]), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))  # the notebook imports the library, too
    try:
        papermill.execute_notebook(
            snakemake.input.notebook,
            out.notebook,
            parameters=given,
            kernel_name="python3",
            progress_bar=False,
            cwd=".",
        )
    except papermill.PapermillExecutionError as error:
        if error.ename != InputError.__name__:
            raise
        raise InputError(error.evalue) from None
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
