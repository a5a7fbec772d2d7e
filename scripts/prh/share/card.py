"""The card of a published run: what it is, how to start from it, its figures and numbers, digests, licences."""

import csv
import json
import zipfile
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


def card(folder, to, records, files, left_out, licences, accepted=()):
    """The card's text, in Markdown, with what the hub reads at its head.

    files: what is published, by its place in the repository. left_out: (what, why). licences: see `licences_of`.
    """
    folder = Path(folder)
    config = json.loads(zipfile.ZipFile(files[CRATE]).read("config/run.json"))
    title = f"Platonic representations: {config['title']}"
    text = [HEAD.format(title=json.dumps(title, ensure_ascii=False), to=to), f"# {title}", ""]
    text += [
        "A run of a workflow that reproduces the results of *The Platonic Representation Hypothesis* (Huh et al., ICML 2024,",
        f"[arXiv:2405.07987](https://arxiv.org/abs/2405.07987)): {len(records)} artifacts with their records. In a clone of the workflow:",
        "",
        f"    make import FROM={to}",
        "    snakemake --cores 2 figures/alignment_vs_performance.pdf    # drawn from these tables; nothing is fetched",
        "",
        f"`{CRATE}` is an RO-Crate: the workflow, its configuration, tables, the scores of all layer pairs and their nulls, figures,",
        "records, licences. `features/DATASET/MODEL.safetensors`: a model's features, a tensor (pairs, width) per layer.",
        "",
    ]
    for place in sorted(name for name in files if name.startswith("figures/")):
        text += [f"![{Path(place).stem.replace('_', ' ')}]({place})", ""]
    for heading, name in (
        ("Correlation with performance", "correlation"),
        ("Performance", "performance"),
        ("Alignment", "alignment"),
    ):
        text += _table(heading, folder / "results" / "tables" / f"{name}.csv")
    text += ["## Files", "", "| file | bytes | SHA-256 |", "|---|---|---|"]
    text += [
        f"| `{name}` | {path.stat().st_size} | `{file_digest(path)}` |"
        for name, path in sorted(files.items())
    ]
    text += ["", "## Licences", ""]
    text += ["What the run took from outside. Whoever passes its features on has to keep to these:", ""]
    text += [*in_markdown(licences), ""]
    if accepted:
        text += [
            f"Of {', '.join(sorted(accepted))} the publisher says that the licence allows to publish features.",
            "",
        ]
    if left_out:
        text += ["Left out, since no free licence lets it be passed on:", ""]
        text += [*(f"- `{what}`: {why}" for what, why in left_out), ""]
    return "\n".join(text)


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
