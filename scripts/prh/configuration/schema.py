"""What a schema asks of a value: its defaults, its types, and one line on what is wrong."""

from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from prh.errors import InputError

# In C where it was built: ten times as fast, at every start.
YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def as_yaml(value, given, nested=False):
    """`value` with the texts within what the command line gave read as YAML reads them: numbers, true, null.

    Snakemake reads what stands by itself, and leaves texts within brackets and braces as they are.
    """
    if isinstance(given, dict) and isinstance(value, dict):
        return {**value, **{key: as_yaml(value[key], part, True) for key, part in given.items()}}
    if isinstance(given, list) and isinstance(value, list):
        return [as_yaml(*parts, True) for parts in zip(value, given, strict=True)]
    if not (nested and isinstance(given, str)):
        return value
    try:
        found = yaml.safe_load(given)
    except yaml.YAMLError:  # a text such as `a: b: c`
        return value
    return found if found is None or isinstance(found, bool | int | float) else value


def read_schema(folder, name):
    """The schema of the configuration, or of a table."""
    return yaml.load((Path(folder) / f"{name}.schema.yaml").read_text(), YAML)


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


def typed(schema, column, cell):
    """A cell as the type that the schema asks for; as it is where it is none."""
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
    """Raise `InputError` with the first thing that is wrong with `value`, by the order of its keys."""
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
