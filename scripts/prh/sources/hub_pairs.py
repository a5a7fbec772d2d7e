"""Pairs of a data set on the hub, in Parquet files."""

import fnmatch
import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from pyarrow.parquet import ParquetFile

from prh.errors import InputError
from prh.sources.datasets import write_dataset
from prh.sources.hub import fetch_or_mirror


def make(row, wheels, seed, folder):
    """Take image-caption pairs from the row's repository, or from its mirror; see `make_from_parquet`."""
    what, pattern = f"data set table, row `{row.name}`", row.files or "*"

    def chosen(paths):
        return choose_files(paths, pattern)

    snapshot = fetch_or_mirror(row.repo, row.revision, row.mirror, choose=chosen, kind="dataset", what=what)
    facts = {"repo": snapshot.repo, "commit": snapshot.commit, "checksums_verified": snapshot.verified}
    there = {
        path.relative_to(snapshot.folder).as_posix(): path for path in snapshot.folder.rglob("*.parquet")
    }
    files = [there[name] for name in chosen(there)]
    columns = (row.columns or "image text").split()
    make_from_parquet(files, row.caption_index or 0, row.size, folder, row.licence, columns, **facts)


def choose_files(paths, pattern):
    """Of a repository's paths its Parquet files of a name, sorted. Raises `InputError` for none, and for those of several splits."""
    found = sorted(path for path in paths if path.endswith(".parquet") and fnmatch.fnmatch(path, pattern))
    if not found:
        raise InputError(f"no Parquet files of the name `{pattern}`; correct `files` in the data set table")
    splits = sorted({path.split("/")[-1].split("-")[0] for path in found} & {"train", "validation", "test"})
    if len(splits) > 1:
        raise InputError(
            f"splits {', '.join(splits)}: name one in `files` of the data set table, as in *train*"
        )
    return found


def make_from_parquet(files, caption_index, size, folder, licence, columns=("image", "text"), **facts):
    """Take image-caption pairs from Parquet files.

    columns: of the image (its bytes), and of the text: a list of texts, one text, or the number of a class.
    Images are stored as they come. size: so many pairs there must be; None takes what there is.

    Raises
    ------
    InputError: another number of pairs, a missing column, no text at `caption_index`, an image that cannot be read.

    """
    image, caption = columns
    (Path(folder) / "images").mkdir(parents=True)
    rows = []
    for path in files:
        known = ParquetFile(path).schema_arrow.names
        missing = {image, caption} - set(known)
        if missing:
            raise InputError(
                f"{path.name}: column `{min(missing)}` is missing; it has {', '.join(known)}: name two of them in the "
                "column `columns` of the data set table"
            )
        for batch in ParquetFile(path).iter_batches(64, columns=[image, caption]):
            for pair in batch.to_pylist():
                number = len(rows)
                texts = pair[caption] if isinstance(pair[caption], list) else [pair[caption]]
                texts = [None if text is None else str(text) for text in texts]
                if not (caption_index < len(texts) and (texts[caption_index] or "").strip()):
                    raise InputError(
                        f"{path.name}: pair {number} has no text at `caption_index` {caption_index}"
                    )
                name = f"images/{number:05d}.{_format(pair[image]['bytes'], number, path.name)}"
                (Path(folder) / name).write_bytes(pair[image]["bytes"])
                rows.append((f"{number:05d}", name, texts[caption_index], path.name))
    if size is not None and len(rows) != size:
        raise InputError(f"the data set has {len(rows)} pairs, not {size}; correct `revision` or `size`")
    note = f"Images and captions: {licence}.\n"
    write_dataset(folder, rows, note, licence=licence, kind="hub", **facts)


def _format(data, number, source):
    """File ending of an image, which must be readable to its end."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.format.lower()
    except (UnidentifiedImageError, OSError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
        raise InputError(f"{source}: image {number} is not readable ({error})") from None
