"""The page of the run: scores, layers and neighbours to look through, in one file."""

from prh.job import job
from prh.report.page import make_page

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    datasets = {
        name: {
            "label": facts["label"],
            "folder": facts["folder"],
            "tiles": facts["tiles"],
            "neighbors": dict(zip(params.shown, facts["neighbors"], strict=True)),
        }
        for name, facts in params.datasets.items()
    }
    figures = {name: facts["figures"] for name, facts in params.datasets.items()}
    page = make_page(
        given.template,
        params.title,
        params.metric,
        params.text,
        params.models,
        datasets,
        [given.alignment, given.performance, given.correlation],
        figures,
        params.figures,
        params.get("fitted", ""),
    )
    out.page.write_text(page, encoding="utf-8")
