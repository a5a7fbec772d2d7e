"""A model as files: which of a folder's or a repository's files it needs, and what they say of it before it is loaded."""

import ast
import json
import re
import zipfile
from math import prod
from pathlib import Path
from typing import NamedTuple

from prh.errors import InputError

# What a model needs beside its weights: configuration, tokenizer, licence. No code, no other formats.
TEXTS = re.compile(r"[^/]+\.(json|jinja|txt|model|tiktoken|md)|LICENSE[^/]*|LICENCE[^/]*")

SAFETENSORS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
PICKLED = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin")
GGUF = re.compile(r"[^/]+\.gguf")
FEATURES = (".safetensors", ".npz", ".npy", ".pt")  # endings of files of features
OTHER_PICKLES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")

# Names that configurations have for the number of blocks and for the width.
BLOCKS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
WIDTHS = ("hidden_size", "n_embd", "d_model", "dim")
Q4_BYTES = 0.5  # of a weight of a GGUF file, at least


class ModelFiles(NamedTuple):
    """A model's files (the weights first) in a folder, its layout and configuration.

    layout: "transformers", "timm", "gguf", or "features" for a file of them. config: what config.json says; nothing for a file.
    """

    folder: Path
    names: list
    layout: str
    config: dict


class Size(NamedTuple):
    """How large a model is: parameters, layers with the embedding, width of the last; None for what is not known."""

    parameters: int | None = None
    layers: int | None = None
    width: int | None = None


def model_files(paths):
    """Of a repository's paths, what a model needs: texts, and safetensors or, where there are none, pickled weights."""
    for form in (SAFETENSORS, PICKLED):
        weights = [path for path in paths if form.fullmatch(path)]
        if weights:
            return weights + [path for path in paths if TEXTS.fullmatch(path)]
    raise InputError("the repository has no model.safetensors and no pytorch_model.bin; not a model's layout")


def tokenizer_files(paths):
    """Of a repository's paths, what its tokenizer may need."""
    return [path for path in paths if TEXTS.fullmatch(path) and not path.endswith((".md", ".index.json"))]


def local_files(path):
    """The `ModelFiles` of a row's `path`: a folder as save_pretrained writes it, or timm, or with a GGUF file; that file; or features.

    Raises `InputError` if it is not there, or is no model of these layouts.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise InputError(f"`{path}` is not there, seen from {Path.cwd()}; correct the path")
    if place.is_file():
        if place.suffix.lower() in FEATURES:
            return ModelFiles(place.parent, [place.name], "features", {})
        if not GGUF.fullmatch(place.name):
            raise InputError(
                f"`{path}` is neither a folder nor a .gguf file, nor one of features ({', '.join(FEATURES)}); name the model's folder"
            )
        return ModelFiles(place.parent, [place.name], "gguf", {})
    names = sorted(found.name for found in place.iterdir() if found.is_file())
    plain = [name for name in names if SAFETENSORS.fullmatch(name)]
    ggufs = [name for name in names if GGUF.fullmatch(name)]
    if ggufs and not plain:
        if len(ggufs) > 1:
            raise InputError(f"`{path}` has {len(ggufs)} GGUF files; name one of them: {', '.join(ggufs)}")
        return ModelFiles(place, ggufs, "gguf", {})
    if not plain and not any(PICKLED.fullmatch(name) for name in names):
        pickles = [name for name in names if name.endswith(OTHER_PICKLES)]
        if pickles:
            raise InputError(
                f"`{path}` has pickled weights only ({pickles[0]}), which may hold code; write them by save_pretrained"
            )
        raise InputError(
            f"`{path}` has no weights: a model.safetensors, as save_pretrained writes it, or a .gguf file is needed"
        )
    config = _config(place, path)
    return ModelFiles(
        place, model_files(names), "timm" if "architecture" in config else "transformers", config
    )


def _config(folder, path):
    if not (folder / "config.json").is_file():
        raise InputError(f"`{path}` has no config.json; write the model by save_pretrained")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"`{path}`: config.json cannot be read ({error})") from None
    if not isinstance(config, dict) or not {"architecture", "model_type"} & set(config):
        raise InputError(
            f"`{path}`: config.json has no `model_type`, as transformers writes it, and no `architecture`, as timm does"
        )
    return config


def size_of(files, modality):
    """About how large a model is, by its files: a `Size`. Of a model with two towers that of the modality's, but all parameters.

    Of a file of features: its values, as many as there may be where only loading it would tell, and what its heads say.
    """
    if files.layout == "features":
        shapes = shapes_of_features(files)
        if not shapes:
            return Size((files.folder / files.names[0]).stat().st_size // 2)
        layers = shapes[0][1] if len(shapes[0]) == 3 else len(shapes)
        return Size(sum(map(prod, shapes)), layers, max(shape[-1] for shape in shapes))
    part = files.config.get({"vision": "vision_config", "language": "text_config"}[modality])
    config = {**files.config, **(part if isinstance(part, dict) else {})}
    blocks, width = (
        next((config[name] for name in names if isinstance(config.get(name), int)), None)
        for names in (BLOCKS, WIDTHS)
    )
    return Size(_parameters(files), blocks and blocks + 1, width)


def _parameters(files):
    """Values in the weights: counted in safetensors, whose headers have the shapes; of other forms as many as there may be."""
    count = 0
    for name in files.names:
        path = files.folder / name
        if SAFETENSORS.fullmatch(name):
            count += sum(prod(shape) for shape in shapes_in(path))
        elif PICKLED.fullmatch(name):
            count += path.stat().st_size // 2
        elif GGUF.fullmatch(name):
            count += int(path.stat().st_size / Q4_BYTES)
    return count


def shapes_of_features(files):
    """Shapes of the arrays in a file of features, by their heads; None for a .pt file, which only loading tells.

    Raises `InputError` for a file that is no such file, and for arrays that are not (n, d), or one (n, layers, d).
    """
    path = files.folder / files.names[0]
    try:
        if path.suffix.lower() == ".pt":
            return None
        if path.suffix.lower() == ".safetensors":
            shapes = shapes_in(path)
        elif path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                shapes = [_npy_shape(file)]
        else:
            with zipfile.ZipFile(path) as archive:
                shapes = [_npy_shape(archive.open(name)) for name in archive.namelist()]
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, zipfile.BadZipFile):
        raise InputError(
            f"`{path}` cannot be read as a {path.suffix} file of arrays; it is damaged"
        ) from None
    for shape in shapes:
        if len(shape) != (3 if len(shapes) == 1 and len(shape) == 3 else 2) or 0 in shape:
            raise InputError(
                f"`{path}` has an array of the shape {tuple(shape)}; features are (n, d) for each layer, or one array (n, layers, d)"
            )
    return shapes


def _npy_shape(file):
    """The shape in the head of a .npy file: magic, version, length of the head, a mapping as Python writes it."""
    if file.read(6) != b"\x93NUMPY":
        raise ValueError
    length = int.from_bytes(file.read(2 if file.read(2)[0] == 1 else 4), "little")
    return ast.literal_eval(file.read(length).decode("latin-1").strip())["shape"]


def check_pairs(table, name, found, dataset, pairs):
    """Raise `InputError` where a model's features are of another number of pairs than a data set has."""
    if found != pairs:
        raise InputError(
            f"{table}, row `{name}`: has features of {found} pairs, but data set `{dataset}` has {pairs}; give features of its "
            "pairs, in its order, or take another data set"
        )


def shapes_in(path):
    """Shapes of the tensors in a safetensors file, by its head: eight bytes that say how long it is, then JSON.

    Read here, since where a run is planned there may be no safetensors. Raises `InputError` for another file.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > path.stat().st_size:
                raise ValueError("its head is longer than the file")
            head = json.loads(file.read(length))
        ends = [facts["data_offsets"][1] for name, facts in head.items() if name != "__metadata__"]
        if path.stat().st_size != 8 + length + max(ends, default=0):
            raise ValueError("it is not as long as its head says")
        return [facts["shape"] for name, facts in head.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"`{path}` cannot be read as safetensors ({error})") from None
