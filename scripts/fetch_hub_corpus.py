"""Take the first documents of a text on the hub: so many tokens of a named tokenizer."""

import fnmatch

from prh.corpora import first_documents, parquet_texts
from prh.hub import fetch, split, tokenizer_files
from prh.job import job

with job(snakemake) as out:
    row = snakemake.params.row
    what = f"corpus table, row `{row['name']}`"
    tokenizer = fetch(*split(row["tokenizer"]), tokenizer_files, what=what)
    names = []

    def note(paths):
        """Keep the names of the Parquet files, and download none yet."""
        names[:] = sorted(fnmatch.filter(paths, row["files"]))
        return ["README.md"]

    commit = fetch(row["repo"], row["revision"], note, kind="dataset", what=what).commit

    def shards():
        """The Parquet files, each downloaded when it is needed."""
        for name in names:
            wanted = fetch(row["repo"], commit, lambda _paths, name=name: [name], kind="dataset", what=what)
            yield wanted.folder / name

    text = first_documents(parquet_texts(shards()), tokenizer.folder, row["tokens"])
    out.text.write_text(text, encoding="utf-8")
    print(f"{row['repo']} at {commit}: {len(text.encode())} bytes of {', '.join(names) or 'no files'}")
