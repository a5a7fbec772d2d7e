"""The card of a published run: what it is, how to start from it, its figures and numbers, digests, licences."""

import csv
import json
import zipfile
from html import escape
from pathlib import Path

from prh.provenance import file_digest
from prh.share.fetch import CRATE
from prh.share.licences import in_markdown

MOST = 20  # rows of a table
HEAD = """---
pretty_name: {title}
license: other
license_name: of-its-parts
license_link: https://huggingface.co/datasets/{to}#licences
tags: [platonic-representation-hypothesis, representational-alignment, ro-crate, snakemake]
---
"""


def title_of(parcel):
    """What the run is called where it is published."""
    return f"Platonic representations: {json.loads(zipfile.ZipFile(parcel.files[CRATE]).read('config/run.json'))['title']}"


def card(parcel, source, to=None, joint="/"):
    """The card's text, in Markdown, of a `prh.share.publish.Parcel`.

    source: what `make import FROM=` takes to start from it. to: the hub's repository, for what the hub reads at the card's head, or
    None elsewhere. joint: what stands in a file's name there for the "/" of its path.
    """
    title = title_of(parcel)
    head = HEAD.format(title=json.dumps(title, ensure_ascii=False), to=to) if to else ""
    named = {place: place.replace("/", joint) for place in sorted(parcel.files)}
    text = [f"{head}# {title}", ""]
    text += [
        "A run of a workflow that reproduces the results of *The Platonic Representation Hypothesis* (Huh et al., ICML 2024,",
        f"[arXiv:2405.07987](https://arxiv.org/abs/2405.07987)): {parcel.artifacts} artifacts with their records. In a clone of the workflow:",
        "",
        f"    make import FROM={source}",
        "    snakemake --cores 2 figures/alignment_vs_performance.pdf    # drawn from these tables; nothing is fetched",
        "",
        f"`{CRATE}` is an RO-Crate: the workflow, its configuration, tables, the scores of all layer pairs and their nulls, figures,",
        "records, licences. `features/DATASET/MODEL.safetensors`: a model's features, a tensor (pairs, width) per layer.",
        "",
    ]
    if joint != "/":
        text += [
            f"There are no folders here: `{joint}` in a file's name stands for the `/` of its path. To start from features, too, put `{CRATE}` and",
            "them into a folder, each under its path: `make import FROM=FOLDER FEATURES=all`.",
            "",
        ]
    for place in (name for name in named if name.startswith("figures/")):
        text += [f"![{Path(place).stem.replace('_', ' ')}]({named[place]})", ""]
    for heading, name in (
        ("Correlation with performance", "correlation"),
        ("Performance", "performance"),
        ("Alignment", "alignment"),
    ):
        text += _table(heading, parcel.folder / "results" / "tables" / f"{name}.csv")
    text += ["## Files", "", "| file | bytes | SHA-256 |", "|---|---|---|"]
    text += [
        f"| `{name}` | {parcel.files[place].stat().st_size} | `{file_digest(parcel.files[place])}` |"
        for place, name in named.items()
    ]
    text += ["", "## Licences", ""]
    text += ["What the run took from outside. Whoever passes its features on has to keep to these:", ""]
    text += [*in_markdown(parcel.licences), ""]
    if parcel.accepted:
        text += [
            f"Of {', '.join(sorted(parcel.accepted))} the publisher says that the licence allows to publish features.",
            "",
        ]
    if parcel.left_out:
        text += ["Left out, since no free licence lets it be passed on:", ""]
        text += [*(f"- `{what}`: {why}" for what, why in parcel.left_out), ""]
    return "\n".join(text)


def in_html(parcel, source):
    """The card in short, for a page of its own: what it is, how to start from it, licences, what was left out."""
    rows = [
        f"<tr><td>{escape(f'{kind} {of}')}</td><td>{escape(licence)}</td></tr>"
        for (kind, of), licence in parcel.licences.items()
    ]
    gone = [f"<li>{escape(what)}: {escape(why)}</li>" for what, why in parcel.left_out]
    text = [
        "<p>A run of a workflow that reproduces the results of <em>The Platonic Representation Hypothesis</em> (Huh et al., ICML 2024, "
        f"arXiv:2405.07987): {parcel.artifacts} artifacts with their records. In a clone of the workflow:</p>",
        f"<pre>make import FROM={escape(source)}</pre>",
        "<p>README.md says what the files are, with numbers and digests. What the run took from outside, under which licence:</p>",
        f"<table><tbody>{''.join(rows)}</tbody></table>",
    ]
    if gone:
        text += [f"<p>Left out, since no free licence lets it be passed on:</p><ul>{''.join(gone)}</ul>"]
    return "".join(text)


def _table(heading, path):
    """A CSV table as Markdown, its first rows."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(_short(cell) for cell in row)} |" for row in rows[:MOST]]
    more = (
        [f"{len(rows) - MOST} more rows: `results/tables/{path.name}` in the crate."]
        if len(rows) > MOST
        else []
    )
    return [f"## {heading}", "", *lines, "", *more, *[""] * bool(more)]


def _short(cell):
    """A cell, its number to four digits."""
    try:
        return cell if cell.lstrip("-").isdigit() else f"{float(cell):.4g}"
    except ValueError:
        return cell.replace("|", "\\|")
