"""What the audit found: a verdict on each artifact, and the report of all of them."""

import csv
import html
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from prh.audit.artifacts import kind_of
from prh.errors import NOT_YOURS
from prh.provenance import RECORDS, write_texts

VERDICTS = ("fail", "absent", "suspect", "ok")
COLUMNS = ("artifact", "kind", "rule", "checks", "verdict", "reason")


@dataclass
class Finding:
    """What the audit says of one artifact: the checks that it passed, what is wrong, and what is worth a remark."""

    artifact: str
    rule: str = ""
    passed: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    absent: bool = False
    elsewhere: bool = False
    rests_on: str = ""

    @property
    def verdict(self):
        """fail: something is wrong with it; absent: only its record is there, elsewhere if that was imported; suspect: it was made from what failed."""
        return "fail" if self.wrong else "absent" if self.absent else "suspect" if self.rests_on else "ok"

    @property
    def reason(self):
        """Why, in one line."""
        suspicion = [f"made from {self.rests_on}, which fails"] if self.rests_on else []
        return "; ".join(self.wrong or suspicion or self.remarks)

    def row(self):
        """As the table has it."""
        values = (
            self.artifact,
            kind_of(self.artifact),
            self.rule,
            " ".join(self.passed),
            self.verdict,
            self.reason,
        )
        return dict(zip(COLUMNS, values, strict=True))


def artifact_of(name):
    """What a record is of, by its place; of anything else the name itself."""
    place = f"{RECORDS.as_posix()}/"
    return name.removeprefix(place).removesuffix(".json") if name.startswith(place) else name


def failures(findings, partial=False):
    """The findings that make an audit fail; artifacts of which only an imported record is there do not, with `partial` any such."""
    fatal = {"fail"} if partial else {"fail", "absent"}
    return [f for f in findings if f.verdict in fatal and not (f.verdict == "absent" and f.elsewhere)]


def remake_command(findings):
    """The command that makes anew what failed, but for what merely may not be read; None if nothing did."""
    findings = [finding for finding in findings if NOT_YOURS not in finding.reason]
    names = sorted(
        {artifact_of(f.artifact) for f in findings if f.rule or artifact_of(f.artifact) != f.artifact}
    )
    return f"snakemake --cores all --forcerun {' '.join(names)}" if names else None


def write_report(findings, folder):
    """Write `audit.csv`, `audit.html`, and `audit.js`, which the page of the run shows, to `folder`."""
    folder = Path(folder)
    rows = [finding.row() for finding in findings]
    listed = io.StringIO()
    table = csv.DictWriter(listed, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    text = json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c")
    ordered = sorted(rows, key=lambda row: (VERDICTS.index(row["verdict"]), row["artifact"]))
    body = "\n".join(
        f'<tr class="{row["verdict"]}">'
        + "".join(f"<td>{html.escape(row[c])}</td>" for c in COLUMNS)
        + "</tr>"
        for row in ordered
    )
    head = "".join(f"<th>{column}</th>" for column in COLUMNS)
    page = PAGE.format(summary=summary(findings), head=head, body=body)
    write_texts(
        folder,
        {"audit.csv": listed.getvalue(), "audit.html": page, "audit.js": f"window.AUDIT = {text};\n"},
    )


def summary(findings):
    """How many artifacts have which verdict, in one line."""
    counts = Counter(finding.verdict for finding in findings)
    return f"{len(findings)} artifacts: " + ", ".join(
        f"{counts[v]} {v}" for v in reversed(VERDICTS) if counts[v]
    )


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; overflow-wrap: anywhere }}
tr.fail td:nth-child(5) {{ background: #c004; font-weight: bold }}
tr.absent td:nth-child(5), tr.suspect td:nth-child(5) {{ background: #c804 }}
div {{ overflow-x: auto }}
</style>
</head>
<body>
<h1>Audit</h1>
<p>{summary}</p>
<div><table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table></div>
</body>
</html>
"""
