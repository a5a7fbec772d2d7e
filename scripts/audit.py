"""Audit the artifacts of a run: the rule `audit`, or by hand `python scripts/audit.py [FOLDER]`."""

import argparse
import io
import logging
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pandas as pd

from prh.audit.audit import audit
from prh.audit.findings import failures, remake_command, summary, write_report
from prh.errors import InputError, check_writable
from prh.job import job


def run(folder, out, packages, samples, seed, partial):
    """Audit `folder`, write the tables to `out`, print what fails; returns one line if anything does, else None."""
    table = pd.read_csv(packages, sep="\t", index_col="package", dtype=str) if packages else pd.DataFrame()
    pinned = {row.Index: row for row in table.itertuples()}
    logging.getLogger("transformers").setLevel(logging.ERROR)  # else it reports heads that are not loaded
    with redirect_stderr(io.StringIO()):  # the bars of what loads weights
        findings = audit(folder, samples, seed, pinned)
    try:
        check_writable(out)
        write_report(findings, out)
        where = f"The whole table: {out / 'audit.csv'}, {out / 'audit.html'}"
    except InputError:
        where = f"The whole table is not written: {out} is read-only; name another folder by --out"
    bad = failures(findings, partial)
    for finding in bad:
        print(f"{finding.verdict}: {finding.artifact}: {finding.reason}")
    print(f"{summary(findings)}. {where}")
    if bad and remake_command(bad):
        print(f"To make anew what fails: {remake_command(bad)}")
    first = f"`{bad[0].artifact}` ({bad[0].reason})" if bad else ""
    return (
        f"{len(bad)} of {len(findings)} artifacts fail, first {first}; see {out / 'audit.csv'}"
        if bad
        else None
    )


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="a run's folder (default: here)")
    parser.add_argument("--out", type=Path, help="where the tables go (default: results/audit of the folder)")
    parser.add_argument("--samples", type=int, default=4, help="artifacts of each rule to make again in part")
    parser.add_argument("--seed", type=int, default=0, help="which of them, and which part")
    parser.add_argument(
        "--partial", action="store_true", help="artifacts of which only the record is there may be so"
    )
    given = parser.parse_args()
    pinned = Path(__file__).parents[1] / "config" / "packages.tsv"
    out = given.out or given.folder / "results" / "audit"
    try:
        sys.exit(1 if run(given.folder, out, pinned, given.samples, given.seed, given.partial) else 0)
    except (InputError, OSError) as error:
        sys.exit(f"audit: {error}")


if "snakemake" in globals():
    with job(snakemake):
        params = snakemake.params
        problem = run(Path(), Path("results/audit"), params.packages, params.samples, params.seed, False)
        if problem:
            raise InputError(problem)
elif __name__ == "__main__":
    main()
