"""Tables of the configuration: rows by name, and what a row asks for."""

import csv
import fnmatch
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from prh.configuration.schema import typed, validate, with_defaults
from prh.errors import InputError
from prh.provenance import read_record, record_path
from prh.sources import outside
from prh.sources.captions import read_table as read_captions
from prh.sources.model_files import Size, local_files, size_of

# What lies outside is looked at once for each configuration: its jobs are all of what it found.
files_of = cache(local_files)
captions_of = cache(read_captions)


def read_table(path, schema, source=None):
    """Rows of a tab-separated table by their first column, each checked against `schema`.

    Empty cells are left out (or get the schema's default); cells become the type that the schema asks for.
    """
    source = source or str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{source}: no such file; set the config's key `tables` to where it is") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    lines = list(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    if not lines:
        raise InputError(f"{source}: empty; its first line must name the columns")
    columns, rows = lines[0], {}
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{source}, line {number}"
        if len(cells) > len(columns):
            raise InputError(f"{where}: {len(cells)} cells, but the header names {len(columns)} columns")
        pairs = {column: cell.strip() for column, cell in zip(columns, cells, strict=False)}
        row = {column: typed(schema, column, cell) for column, cell in pairs.items() if cell}
        row = with_defaults(schema, row)
        validate(schema, row, where)
        key = row[columns[0]]
        if key in rows:
            raise InputError(f"{where}: {columns[0]} `{key}` is in the table already; names must be unique")
        rows[key] = SimpleNamespace(**{column: row.get(column) for column in schema["properties"]})
    return rows


def read_published(path, quantity, source):
    """Values of a quantity by model, out of a table of published numbers. Raises `InputError` if it has none, or is no such table."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        rows = csv.DictReader([line for line in lines if not line.startswith("#")], delimiter="\t")
        found = {row["model_x"]: float(row["value"]) for row in rows if row["quantity"] == quantity}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{source}: not a table of published numbers; correct it, or null") from None
    if not found:
        raise InputError(f"{source}: has no row with the quantity `{quantity}`; name another table, or null")
    return found


def packages_of(row, packages, source="config"):
    """Names of the packages that a table's row asks for, in its order; `*` takes all that match, in table order."""
    names = []
    for pattern in (row.packages or "").split():
        exact = [pattern] if pattern in packages else []
        matching = exact or [name for name in packages if fnmatch.fnmatchcase(name, pattern)]
        if not matching:
            raise InputError(
                f"{source}: `{row.name}` needs package `{pattern}`, which is not in the package table"
            )
        names += matching
    return names


def revision_of(row, packages, source="config"):
    """What pins a table's row: its packages with their versions, its repository's revision, or the content of its files."""
    if getattr(row, "path", None):
        return content_of(row)
    if row.repo:
        return row.revision or "main"
    return ", ".join(f"{name}=={packages[name].version}" for name in packages_of(row, packages, source))


def size_by_path(row):
    """What the files of a model that comes by a path say of its size; nothing of another, and of one whose files are gone."""
    return Size() if not row.path or record_instead(row) else _size(row.path, row.modality)


@cache
def _size(path, modality):
    return size_of(files_of(path), modality)


def look_again():
    """Forget what was found outside."""
    for function in (files_of, captions_of, _size, _content):
        function.cache_clear()


def record_instead(row):
    """Where a row's `path` is not here, the record of what was made of it, here or by whom it was imported from; else None."""
    record = record_path(Path("results", "data" if hasattr(row, "source") else "models", row.name))
    gone = not Path(row.path).expanduser().exists()
    return read_record(record) if gone and record.exists() else None


def content_of(row):
    """What pins a row with a `path`: a digest of its files; where they are gone, that of the files that it was made of.

    Raises `InputError` where nothing is there, and nothing was made of it.
    """
    return _content(row.name, row.path, *(getattr(row, column, None) for column in ("source", "columns")))


@cache
def _content(name, path, source, columns):
    row = SimpleNamespace(name=name, path=path, **({"source": source, "columns": columns} if source else {}))
    if record := record_instead(row):
        return record["parameters"]["row"]["revision"]
    files = outside.files_of_dataset(row, captions_of) if source else outside.files_of_model(row)
    return outside.fingerprint(files, outside.digests(files))


def with_sets_expanded(names, rows, where, advice=""):
    """The config's model names, `set:NAME` replaced by the rows that have NAME in their column `sets`."""
    found = []
    for name in names:
        members = [row.name for row in rows.values() if name.removeprefix("set:") in row.sets.split()]
        if name.startswith("set:") and not members:
            known = sorted({word for row in rows.values() for word in row.sets.split()})
            raise InputError(
                f"{where}: no row of the model table is in `{name}`; sets there: {', '.join(known) or 'none'}{advice}"
            )
        found += members if name.startswith("set:") else [name]
    return list(dict.fromkeys(found))
