"""The report that Snakemake makes: everything in it has its place and its caption, and every caption is used."""

import html
import json
import re

import jinja2
import pytest
from docutils.core import publish_parts

from helpers.project import ROOT, snakemake
from helpers.rules import outputs, variables

CAPTIONS = sorted(path.stem for path in (ROOT / "report").glob("*.rst") if path.stem != "workflow")
PARTS = ["Shown.", "Of the paper.", "How to read it.", "Limits."]


@pytest.fixture(scope="module")
def report(small, tmp_path_factory):
    """The results and categories of a finished run's report, and its description."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = snakemake(small, "--cores", "1", "--report", str(path))
    assert done.returncode == 0, done.stderr[-4000:]
    page = path.read_text(encoding="utf-8")
    starts = [
        re.search(rf"var {name} = (?=[{{\"])", page).end()
        for name in ("results", "categories", "workflow_desc")
    ]
    return [json.JSONDecoder().raw_decode(page, start)[0] for start in starts]


def test_each_figure_and_table_has_a_caption_labels_and_a_place(small, report):
    results, categories, _ = report
    figures = {f"{p.relative_to(small)}" for e in ("png", "csv") for p in (small / "figures").rglob(f"*.{e}")}
    tables = {f"{p.relative_to(small)}" for p in (small / "results/tables").iterdir()}
    assert set(results) == figures | tables | {"results/report/story.html"}
    for path, facts in results.items():
        assert [part for part in PARTS if f"<strong>{part}</strong>" in facts["caption"]] == PARTS, path
        assert facts["labels"]["what"], path
        if path in figures:
            assert facts["labels"]["data set"] == ("pictures" if "pictures/" in path else "openmoji_64")
    placed = [path for folders in categories.values() for paths in folders.values() for path in paths]
    assert sorted(placed) == sorted(results)
    assert all(
        set(folders) <= {"OpenMoji", "local pictures", "all data sets"} for folders in categories.values()
    )
    assert [name[0] for name in sorted(categories)] == list("1234567")


def test_no_labels_but_those_of_figures_can_become_a_switch(report):
    """Snakemake's page breaks where a label has two values, each of half of the results, but not for each thing both."""
    results, categories, _ = report
    for folders in categories.values():
        for paths in folders.values():
            assert len({tuple(results[path]["labels"]) for path in paths}) == 1
            if "file" in results[paths[0]]["labels"]:
                pairs = [(results[p]["labels"]["what"], results[p]["labels"]["file"]) for p in paths]
                assert len(set(pairs)) == len(pairs) == 2 * len({what for what, _ in pairs})


def test_the_description_says_what_the_run_is_and_leads_through_it(report):
    _, categories, description = report
    assert "small test" in description
    assert "system-message" not in description
    links = re.findall(r"showCategory\('([^']*)'\)", description)
    assert [link.replace("%20", " ") for link in links] == sorted(categories)


def test_what_is_shown_within_the_report_is_small_and_whole(small):
    """Chromium shows no page of more than 2 MB in a frame; the page of the run is larger, and is not in the report."""
    story = (small / "results/report/story.html").read_text(encoding="utf-8")
    assert len(story) * 4 / 3 < 2e6
    assert re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="http[^"]*', story) == []


def test_every_caption_is_used_and_every_figure_and_table_of_the_workflow_has_one():
    made = [path for path in outputs() if re.match(r"(results/tables|figures)/.*\.csv$", path)]
    captions = [re.sub(r"^results/tables/", "table_", re.sub(r"^figures/(\{folder\})?", "", p)) for p in made]
    (figures,) = variables("FIGURES")
    assert {name.removesuffix(".csv") for name in captions if not name.startswith("table_")} == set(figures)
    assert sorted([*(name.removesuffix(".csv") for name in captions), "story"]) == CAPTIONS


@pytest.fixture(scope="module")
def filled_in():
    """The configuration with all defaults, as captions see it."""
    (config,) = variables("config")
    return config


@pytest.mark.parametrize("name", CAPTIONS)
def test_a_caption_is_sound_and_complete(name, filled_in):
    """Of the paper's scale too, whose figures no test here draws: every name in it is there, and it is sound RST."""
    words = "R$^{2}$ {English} _of_ a_ <b> 100 % *x* |y| [z]_ `"  # as users' labels and titles may be
    params = {"metric": "mutual_knn@10", "caption": words, "performance_label": words}
    params |= {"data": words, "how": "mds", "k": 10, "share": 0.01, "models": {"m": {"label": words}}}
    text = (ROOT / "report" / f"{name}.rst").read_text()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filled = environment.from_string(text).render(snakemake={"params": params, "config": filled_in})
    body = publish_parts(filled, writer="html", settings_overrides={"halt_level": 2})["body"]
    assert [part for part in PARTS if f"<strong>{part}</strong>" in body] == PARTS
    assert "mailto:" not in body
    shown = " ".join(html.unescape(re.sub("<[^>]*>", "", body)).split())
    assert shown.count(words) == text.count("``{{ snakemake.params.") - text.count("params.metric }}``")
