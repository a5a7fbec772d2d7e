"""The first documents of a text on the hub, in Parquet files, counted in tokens of one named tokenizer."""

import fnmatch

from prh.errors import InputError
from prh.job import progress
from prh.sources.hub import fetch, split
from prh.sources.model_files import tokenizer_files

SEPARATOR = "\n\n"


def make(row, wheels, path):
    """Write as many of the row's documents to `path` as have its number of tokens; files are fetched as they are needed."""
    what = f"corpus table, row `{row.name}`"
    tokenizer = fetch(*split(row.tokenizer), tokenizer_files, what=what)
    names = []

    def note(paths):
        """Keep the names of the Parquet files, and download none yet."""
        names[:] = sorted(fnmatch.filter(paths, row.files))
        return ["README.md"]

    commit = fetch(row.repo, row.revision, note, kind="dataset", what=what).commit

    def shards():
        """The Parquet files, each downloaded when it is needed."""
        for name in names:
            wanted = fetch(row.repo, commit, lambda _paths, name=name: [name], kind="dataset", what=what)
            yield wanted.folder / name

    text = first_documents(parquet_texts(shards()), tokenizer.folder, row.tokens)
    path.write_text(text, encoding="utf-8")
    print(f"{row.repo} at {commit}: {len(text.encode())} bytes of {', '.join(names) or 'no files'}")


def parquet_texts(paths, rows=256):
    """The column `text` of Parquet files, document by document, read in batches."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    for path in paths:
        try:
            for batch in ParquetFile(path).iter_batches(rows, columns=["text"]):
                yield from batch.column("text").to_pylist()
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise InputError(f"{path.name}: not a Parquet file with a column `text` ({error})") from None


def first_documents(documents, tokenizer_folder, tokens):
    """The first documents that together have at least `tokens` tokens, as one text with blank lines between them.

    Raises `InputError` if there are fewer.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        tokenizer_folder, local_files_only=True, trust_remote_code=False
    )
    taken, total = [], 0
    for document in progress(documents, "reading", unit="document"):
        taken.append(document)
        total += len(tokenizer(document, add_special_tokens=False, verbose=False)["input_ids"])
        if total >= tokens:
            return SEPARATOR.join(taken)
    raise InputError(f"the text has {total} tokens, {tokens} are asked for; lower `tokens`")
