"""One row more in a table of the working directory: a model by its path or repository, a data set by its folder."""

import csv
import io
import json
import re
from pathlib import Path

import yaml

from prh.configuration.checks import REPOSITORY
from prh.configuration.schema import read_schema
from prh.configuration.tables import read_table
from prh.errors import InputError
from prh.features.adapters import ADAPTERS
from prh.provenance import write_texts
from prh.sources import captions
from prh.sources.model_files import FEATURES, ModelFiles, local_files, shapes_of_features, size_of

TABLES = {"model": "config/models.tsv", "data": "config/datasets.tsv"}
# What an own model or data set is compared with: small ones out of packages.
COMPARED = {"language": "minilm-l6", "vision": "mobilenet-v2"}
OFF = (
    "transfer",
    "colour_geometry",
    "caption_density",
    "alignment_over_n",
)  # figures with models, or data, of their own
VITS = re.compile(r"vit|beit|eva|deit")  # of timm's names
USUAL_WINDOW = 512


def add_model(where, schemas, name=None, type=None, label=None, modality=None):
    """Write a model's row; returns (facts that were found, configuration for a run with it), both as mappings.

    where: a folder, a .gguf file or one of features, or else a repository of the hub. modality: of features, which do not say
    it. Raises `InputError` if it is no model, if its kind cannot be told, or if the table has the name; nothing is written then.
    """
    here = Path(where).expanduser()
    if here.exists():
        files, row = local_files(where), {"path": str(where)}
        row["licence"] = licence_of(files.folder) or "not stated"
    elif REPOSITORY.fullmatch(str(where)):
        files, row = _of_the_hub(str(where))
    else:
        raise InputError(f"`{where}` is not there, and is no ORGANISATION/NAME of the hub; correct it")
    type = type or type_of(files)
    if type not in ADAPTERS:
        raise InputError(f"--type {type}: not one of {', '.join(ADAPTERS)}")
    modality, said = _modality(type, modality), modality
    size = size_of(files, modality)
    row |= {"name": name or _name_of(here), "label": label or "", "type": type, "modality": said or ""}
    if "repo" in row:
        row["parameters"] = str(
            row.pop("parameters", None) or 12 * (size.layers or 25) * (size.width or 1024) ** 2
        )
    _append(TABLES["model"], row, schemas / "models.schema.yaml")
    facts = {
        "kind": f"{type} ({', '.join(filter(None, [files.config.get('model_type') or files.config.get('architecture'), modality]))})",
        **_measures(files, size, row.get("parameters")),
        "licence": row["licence"],
    }
    other = COMPARED["vision" if modality == "language" else "language"]
    pair = [row["name"], other] if modality == "language" else [other, row["name"]]
    config = {"title": row["label"] or row["name"], "models": pair, **_metrics(10)}
    config["figures"] = {"layer_pairs": [[*pair]]}
    positions = files.config.get("max_position_embeddings") or files.config.get("n_positions")
    if ADAPTERS[type].scored and positions and positions < USUAL_WINDOW:
        config["performance"] = {"window": positions, "stride": positions // 2}
    return facts, config | dict.fromkeys(OFF)


def _measures(files, size, parameters):
    """How large a model is; of features, how many layers and pairs, where that is known without loading them."""
    if files.layout == "features":
        shapes = shapes_of_features(files)
        return {"layers": size.layers, "width": size.width, "pairs": shapes and shapes[0][0]}
    blocks = size.layers and size.layers - 1
    return {"blocks": blocks, "width": size.width, "parameters": parameters or size.parameters}


def add_data(where, schemas, name=None):
    """Write the row of a folder, or of a table of captions; returns as `add_model`. Raises `InputError` as `read_table` of captions does."""
    table = captions.read_table(where)
    counts = [len(item.captions) for item in table.items]
    row = {"name": name or _name_of(Path(where).expanduser()), "source": "folder", "path": str(where)}
    row |= {"label": row["name"], "licence": "your own"}
    k = min(10, len(counts) - 2)
    if k < 1:
        raise InputError(f"`{where}` has {len(counts)} pictures; at least 3 are needed")
    _append(TABLES["data"], row, schemas / "datasets.schema.yaml")
    fewest, most = min(counts), max(counts)
    facts = {
        "pictures": len(counts),
        "captions per picture": fewest if fewest == most else f"{fewest} to {most}",
        "captions from": f"{table.source} ({table.read_as})",
    }
    pair = list(COMPARED.values())
    config = {"title": row["name"], "datasets": [row["name"]], "models": pair, **_metrics(k)}
    return facts, config | {"figures": {"layer_pairs": [[*pair]]}} | dict.fromkeys(OFF)


def _modality(type, said):
    """A model's modality. Raises `InputError` where its type does not tell it and nothing is said, or where another is said."""
    modalities = ADAPTERS[type].modalities
    if said is None and len(modalities) > 1:
        raise InputError(
            f"--modality is missing: a model of type {type} does not tell; say {' or '.join(modalities)}"
        )
    if said not in (None, *modalities):
        raise InputError(f"--modality {said}: models of type {type} are for {' or '.join(modalities)}")
    return said or modalities[0]


def type_of(files):
    """The kind of a model by its files. Raises `InputError` if they do not tell."""
    config = files.config
    if files.layout == "features":
        return "features"
    if files.layout == "gguf":
        return "causal_lm"
    if files.layout == "timm":
        return "timm_vit" if VITS.search(config["architecture"]) else "timm_cnn"
    head = (config.get("architectures") or [""])[0]
    if head.endswith(("ForCausalLM", "LMHeadModel")):
        return "causal_lm"
    if head.endswith("ForMaskedLM"):
        return "masked_lm"
    if "vision_config" in config or {"num_channels", "patch_size", "image_size"} & set(config):
        return "vision"
    if "vocab_size" in config:
        return "text_encoder"
    raise InputError(f"the kind of `{files.folder}` cannot be told by its config.json; say it by --type")


def licence_of(folder):
    """The licence that a model's README.md names in its head, or that it has a file of; None if there is neither."""
    readme = Path(folder) / "README.md"
    if readme.is_file():
        head = readme.read_text(encoding="utf-8", errors="replace").split("\n---", 1)[0]
        named = re.search(r"^license: *([\w.-]+)", head, re.MULTILINE)
        if named:
            return named[1]
    return "see its LICENSE" if any(Path(folder).glob("LICEN[SC]E*")) else None


def _of_the_hub(repo):
    """Configuration of a repository, and its row: the commit that it has now, parameters and licence where the hub says them."""
    from huggingface_hub import HfApi

    from prh.sources.hub import fetch

    snapshot = fetch(
        repo, "main", lambda paths: [path for path in paths if path in ("config.json", "README.md")]
    )
    config = snapshot.folder / "config.json"
    if not config.is_file():
        raise InputError(f"{repo}: the repository has no config.json; not a model's layout")
    said = json.loads(config.read_text(encoding="utf-8"))
    layout = "timm" if "architecture" in said else "transformers"
    row = {"repo": repo, "revision": snapshot.commit, "licence": licence_of(snapshot.folder) or "not stated"}
    counted = HfApi().model_info(repo, revision=snapshot.commit).safetensors
    return ModelFiles(snapshot.folder, [], layout, said), row | (
        {"parameters": counted.total} if counted else {}
    )


def _name_of(path):
    stem = (
        path.stem
        if path.suffix.lower() in (".gguf", *FEATURES)
        else path.resolve().name
        if path.exists()
        else path.name
    )
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._").lower()


def _metrics(k):
    return {section: {"metrics": [f"mutual_knn@{k}"]} for section in ("alignment", "calibration")}


def _append(table, row, schema):
    """Add a row to a table of the working directory, with a column for each of its cells; checked before it is written."""
    path = Path(table)
    if not path.is_file():
        raise InputError(f"{table} is not here; run this in the workflow's folder, or copy its config/ here")
    lines = list(
        csv.reader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    if any(cells and cells[0] == row["name"] for cells in lines[1:]):
        raise InputError(f"{table} has a row `{row['name']}`; give another name by --name")
    row = {column: cell for column, cell in row.items() if cell}
    lines[0] += [column for column in row if column not in lines[0]]
    lines.append([row.get(column, "") for column in lines[0]])
    text = io.StringIO()
    csv.writer(text, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n").writerows(
        lines
    )
    write_texts(path.parent, {f"{path.name}.new": text.getvalue()})
    new = path.with_name(f"{path.name}.new")
    try:
        read_table(new, read_schema(schema.parent, schema.name.split(".")[0]), table)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def as_text(facts, config):
    """What was found, line by line, and the configuration as YAML."""
    lines = [f"{what}: {value}" for what, value in facts.items() if value is not None]
    return "\n".join(lines), yaml.safe_dump(config, sort_keys=False, default_flow_style=None)
