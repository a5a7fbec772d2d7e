"""Download one model from the hub and make it ready for use without a network."""

from pathlib import Path

from prh.hub import check_weights, fetch, make_safetensors, model_files, place
from prh.job import job
from prh.provenance import write_manifest

with job(snakemake) as out:
    row = snakemake.params.row
    what = f"model table, row `{row['name']}`"
    snapshot = fetch(row["repo"], row["revision"], model_files, what=what)
    Path(out.model).mkdir(parents=True)
    place(snapshot, out.model)
    make_safetensors(out.model)
    check_weights(out.model)
    write_manifest(out.model, **row, commit=snapshot.commit, checksums_verified=snapshot.verified)
