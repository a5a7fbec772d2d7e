"""Texts from Parquet files: the first documents, counted in tokens of one named tokenizer."""

from prh.errors import InputError
from prh.job import progress

SEPARATOR = "\n\n"


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
