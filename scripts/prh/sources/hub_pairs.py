"""Pairs of a data set on the hub, in Parquet files."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from pyarrow.parquet import ParquetFile

from prh.errors import InputError
from prh.sources.datasets import write_dataset
from prh.sources.hub import fetch_or_mirror


def make(row, wheels, seed, folder):
    """Take image-caption pairs from the row's repository, or from its mirror; see `make_from_parquet`."""
    what = f"data set table, row `{row.name}`"
    snapshot = fetch_or_mirror(row.repo, row.revision, row.mirror, kind="dataset", what=what)
    facts = {"repo": snapshot.repo, "commit": snapshot.commit, "checksums_verified": snapshot.verified}
    files = sorted(snapshot.folder.rglob("*.parquet"))
    make_from_parquet(files, row.caption_index or 0, row.size, folder, row.licence, **facts)


def make_from_parquet(files, caption_index, size, folder, licence, **facts):
    """Take image-caption pairs from Parquet files with the columns image (its bytes) and text (a list of texts, or one).

    Images are stored as they come. size: so many pairs there must be; None takes what there is.

    Raises
    ------
    InputError: another number of pairs, a missing column, no text at `caption_index`, an image that cannot be read.

    """
    (Path(folder) / "images").mkdir(parents=True)
    rows = []
    for path in files:
        missing = {"image", "text"} - set(ParquetFile(path).schema_arrow.names)
        if missing:
            raise InputError(f"{path.name}: column `{min(missing)}` is missing; needed: image, text")
        for batch in ParquetFile(path).iter_batches(64, columns=["image", "text"]):
            for pair in batch.to_pylist():
                number = len(rows)
                texts = [pair["text"]] if isinstance(pair["text"], str) else pair["text"] or []
                if not (caption_index < len(texts) and (texts[caption_index] or "").strip()):
                    raise InputError(
                        f"{path.name}: pair {number} has no text at `caption_index` {caption_index}"
                    )
                name = f"images/{number:05d}.{_format(pair['image']['bytes'], number, path.name)}"
                (Path(folder) / name).write_bytes(pair["image"]["bytes"])
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
