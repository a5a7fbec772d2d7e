"""Download one model from the hub and make it ready for use without a network."""

from pathlib import Path

from prh import hub
from prh.job import job
from prh.provenance import write_manifest

with job(snakemake) as out:
    row = snakemake.params.row
    what = f"model table, row `{row['name']}`"
    snapshot = hub.fetch(row["repo"], row["revision"], hub.model_files, what=what)
    Path(out.model).mkdir(parents=True)
    hub.place(snapshot, out.model)
    hub.make_safetensors(out.model)
    hub.check_weights(out.model)
    write_manifest(out.model, **row, commit=snapshot.commit, checksums_verified=snapshot.verified)
