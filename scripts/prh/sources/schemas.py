"""Mappings and tables checked against the schemas of config/schemas/: defaults, types, and one line for what is wrong."""

import csv
from pathlib import Path
from types import SimpleNamespace

import yaml
from jsonschema import Draft202012Validator

from prh.errors import InputError


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
        row = {column: _typed(schema, column, cell) for column, cell in pairs.items() if cell}
        row = with_defaults(schema, row)
        validate(schema, row, where)
        key = row[columns[0]]
        if key in rows:
            raise InputError(f"{where}: {columns[0]} `{key}` is in the table already; names must be unique")
        rows[key] = SimpleNamespace(**{column: row.get(column) for column in schema["properties"]})
    return rows


def schema_of(folder, name):
    """A schema by its name."""
    return yaml.safe_load((Path(folder) / f"{name}.schema.yaml").read_text())


def with_defaults(schema, value):
    """`value` with the schema's defaults where a key is missing, one level into nested objects."""
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, sub in schema.get("properties", {}).items():
        if key not in filled and "default" in sub:
            filled[key] = sub["default"]
        if "object" in sub.get("type", ()) and isinstance(filled.get(key), dict):
            filled[key] = with_defaults(sub, filled[key])
    return filled


def _typed(schema, column, cell):
    kind = schema["properties"].get(column, {}).get("type", "string")
    try:
        if kind == "integer":
            return int(cell)
        if kind == "number":
            return float(cell)
        if kind == "array":
            return [float(part) for part in cell.split(",")]
    except ValueError:
        return cell  # the schema then says what it should have been
    return cell


def validate(schema, value, where):
    """Raise `InputError` for the first thing that the schema does not allow; where: what it is, for the message."""
    errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda e: [str(p) for p in e.path])
    if not errors:
        return
    error = errors[0]
    key = ".".join(str(part) for part in error.path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(set(error.instance) - set(known))
        path = ".".join(filter(None, [key, unknown[0]]))
        raise InputError(f"{where}: unknown key `{path}`; known here: {', '.join(known)}")
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))
        raise InputError(f"{where}: key `{'.'.join(filter(None, [key, missing[0]]))}` is missing")
    raise InputError(f"{where}: key `{key}`: {_reason(error)}")


def _reason(error):
    shown = repr(error.instance)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    words = {
        "type": f"{shown} is not of type {error.validator_value}",
        "enum": f"{shown} is not one of {', '.join(map(str, error.validator_value))}"
        if error.validator == "enum"
        else "",
        "minItems": f"{shown} has too few entries, at least {error.validator_value} needed",
        "uniqueItems": f"{shown} names something twice",
        "pattern": f"{shown} does not have the form {error.validator_value}",
    }
    return words.get(error.validator) or error.message
