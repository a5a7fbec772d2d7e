"""Features that others have computed, as a model: a file of arrays, one row per pair of the data set, in its order."""

from pathlib import Path

from prh.errors import about
from prh.features.files import read_any_features
from prh.features.layers import read_features, write_features
from prh.provenance import file_digest, read_manifest
from prh.sources.model_files import check_pairs

FILE = "features.safetensors"


def make_ready(row, wheels, seed, folder):
    """Write the layers of the row's `path` into `folder`, in float32, as this project's feature files are.

    Returns what the manifest says of it: the file's SHA-256 and its number n of pairs. Raises `InputError`, naming row and file,
    for what `files.read_any_features` takes for no features.
    """
    path = Path(row.path).expanduser()
    with about(f"model table, row `{row.name}`"):
        layers = read_any_features(path)
    Path(folder).mkdir(parents=True)
    named = {f"layer{number}": layer.float() for number, layer in enumerate(layers)}
    write_features(Path(folder) / FILE, named, {"model": row.name})
    return {"file_sha256": file_digest(path), "pairs": len(layers[0])}


def load(folder):
    """Names and layers, (n, d) float32, in order, of a folder that `make_ready` wrote."""
    layers, names, _ = read_features(Path(folder) / FILE)
    return dict(zip(names, layers, strict=True))


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`. Raises `InputError` for another number of pairs.

    dataset: None where only its number of pairs is known, the setting `pairs`.
    """
    layers = load(folder)
    found = len(next(iter(layers.values())))
    pairs = read_manifest(dataset)["pairs"] if dataset else settings["pairs"]
    check_pairs("model table", row.name, found, Path(dataset).name if dataset else "of the table", pairs)
    return layers, {"pooling": "as in the file that was given", **({} if dataset else {"pairs": found})}
