"""Tiny stand-ins with random weights, under the paper's own ids and in the layouts of the hub.

    python tests/rehearsal/standins.py ROOT      everything that config/paper.yaml asks for; needs timm

Each model has three layers of width 32 (ViTs: two blocks), drawn from one seed; texts and pictures are made up.
"""

import csv
import io
import json
import os
import random
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import sentencepiece
import torch
from PIL import Image, ImageDraw
from pyarrow import parquet
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    Gemma3Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    OlmoConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    RobertaConfig,
    RobertaForMaskedLM,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SmolLM3Config,
)

CONFIG = Path(__file__).resolve().parents[2] / "config"
WORDS, WIDTH, LAYERS, BLOCKS = 512, 32, 3, 2
COLOURS = ("red", "green", "blue", "orange", "purple", "black", "brown", "pink")
SHAPES = ("circle", "square", "triangle", "stripe")
PLACES = ("left", "right", "top", "bottom", "middle")
SHAPE = {
    "vocab_size": WORDS, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
CHAT = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "
PICKLED = "openlm-research/"  # as repositories that have pytorch_model.bin only
SHARDED = "huggyllama/"


def rows(table="models_paper.tsv"):
    """The rows of a table of config/."""
    with (CONFIG / table).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def repositories(**cells):
    """Ids of the models that have these cells in their rows."""
    return [row["repo"] for row in rows() if cells.items() <= row.items()]


def captions(count, seed=0):
    """So many made-up captions, each with its colour, shape and place."""
    draw = random.Random(seed)
    chosen = [[draw.choice(words) for words in (COLOURS, SHAPES, PLACES)] for _ in range(count)]
    return [(f"a {c} {s} at the {p}, picture {i}", c, s, p) for i, (c, s, p) in enumerate(chosen)]


def folder(root, kind, name, revision="main"):
    """A repository's folder."""
    path = Path(root) / kind / name / revision
    path.mkdir(parents=True, exist_ok=True)
    return path


def gemma_3(nested, **shape):
    """Gemma 3's configuration: two layers that look at few tokens before the one that looks at all; alone or beside images."""
    layers = ["sliding_attention"] * (LAYERS - 1) + ["full_attention"]
    given = {**shape, "head_dim": 8, "sliding_window": 16, "layer_types": layers}
    if not nested:
        return Gemma3TextConfig(**given)
    images = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    images |= {"image_size": 28, "patch_size": 14}
    marks = {"boi_token_index": WORDS - 3, "eoi_token_index": WORDS - 2, "image_token_index": WORDS - 1}
    return Gemma3Config(text_config=given, vision_config=images, mm_tokens_per_image=4, **marks)


LLAMA, META = ("LlamaTokenizer", "<s>", "</s>", None), ("<|begin_of_text|>", "<|end_of_text|>", None)
END, LONG = (
    "<|endoftext|>",
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
)
LONG |= {"original_max_position_embeddings": 512, "rope_theta": 500000.0}
# The first of these that is in an id says its configuration, of `SHAPE` and more, and its tokenizer; None is Gemma's.
ARCHITECTURES = {
    "bigscience/": (
        lambda **_: BloomConfig(vocab_size=WORDS, hidden_size=WIDTH, n_layer=LAYERS, n_head=4),
        ("BloomTokenizerFast", "<s>", "</s>", "<pad>"),
    ),
    "OLMo-2": (Olmo2Config, ("GPT2TokenizerFast", END, END, "<|pad|>")),
    "allenai/": (OlmoConfig, ("GPTNeoXTokenizerFast", END, END, "<|padding|>")),
    "gemma-3-4b": (lambda **shape: gemma_3(True, **shape), None),
    "gemma-3": (lambda **shape: gemma_3(False, **shape), None),
    "google/": (lambda **shape: GemmaConfig(**shape, head_dim=8), None),
    "Mixtral": (lambda **shape: MixtralConfig(**shape, num_local_experts=4, num_experts_per_tok=2), LLAMA),
    "Mistral": (MistralConfig, LLAMA),
    "Qwen3": (
        lambda **shape: Qwen3Config(**shape, head_dim=8, tie_word_embeddings=True),
        ("Qwen2Tokenizer", None, END, END),
    ),
    "SmolLM3": (  # of two layers one has no positions
        lambda **shape: SmolLM3Config(**shape, pad_token_id=None, no_rope_layer_interval=2),
        ("PreTrainedTokenizerFast", *META),
    ),
    "Llama-3.": (
        lambda **shape: LlamaConfig(**shape, rope_parameters=LONG, tie_word_embeddings=True),
        ("PreTrainedTokenizerFast", *META),
    ),
    "": (LlamaConfig, LLAMA),
}


def language_model(root, name):
    """A causal language model under its own id, with a tokenizer of its kind."""
    shape = {**SHAPE, "intermediate_size": 64, "num_key_value_heads": 2, "max_position_embeddings": 2048}
    configuration, tokenizer = next(kind for part, kind in ARCHITECTURES.items() if part in name)
    config = configuration(**shape)
    path = folder(root, "models", name)
    torch.manual_seed(sum(map(ord, name)))
    model = AutoModelForCausalLM.from_config(config).to(torch.float16)
    if name.startswith(PICKLED):
        model.config.save_pretrained(path)
        torch.save(model.state_dict(), path / "pytorch_model.bin")
        _sentencepiece(path)
    else:
        model.save_pretrained(path, **({"max_shard_size": "40KB"} if name.startswith(SHARDED) else {}))
        _gemma_tokenizer(path) if tokenizer is None else _byte_tokenizer(path, *tokenizer)
    if name.endswith("Instruct"):
        (path / "chat_template.jinja").write_text(CHAT)
    (path / "README.md").write_text("---\nlicense: other\n---\nA stand-in with random weights.\n")
    if name in repositories(gated="yes"):
        (path.parent / "GATED").touch()


def text_encoder(root, name):
    """A RoBERTa under its own id, without the pooler; saved for masked words, or pickled as SimCSE's is."""
    shape = {**SHAPE, "intermediate_size": 64, "max_position_embeddings": 514, "pad_token_id": 3}
    path = folder(root, "models", name)
    torch.manual_seed(sum(map(ord, name)))
    model = RobertaForMaskedLM(RobertaConfig(**shape))
    if "simcse" in name:
        model.config.save_pretrained(path)
        torch.save(model.roberta.state_dict(), path / "pytorch_model.bin")
    else:
        model.save_pretrained(path)
    _byte_tokenizer(path, "RobertaTokenizerFast", "<s>", "</s>", "<pad>")
    (path / "README.md").write_text("---\nlicense: other\n---\nA stand-in with random weights.\n")


def dual_encoder(root, name, size=112, positions=13):
    """A CLIP of two small towers under its own id, which takes so many tokens."""
    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    marks = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 1}
    path = folder(root, "models", name)
    torch.manual_seed(sum(map(ord, name)))
    config = CLIPConfig(
        text_config={**shape, **marks, "vocab_size": WORDS, "max_position_embeddings": positions},
        vision_config={**shape, "image_size": size, "patch_size": 16},
        projection_dim=WIDTH,
    )
    CLIPModel(config).save_pretrained(path)
    sides = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
    CLIPImageProcessorPil(**sides).save_pretrained(path)
    _clip_tokenizer(path)
    (path / "README.md").write_text("---\nlicense: other\n---\nA stand-in with random weights.\n")


def two_towers(root, name, size=112):
    """A SigLIP of two small towers under its own id; its vision tower has no class token and two blocks."""
    shape = {
        "hidden_size": WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": 4,
    }
    path = folder(root, "models", name)
    torch.manual_seed(sum(map(ord, name)))
    config = SiglipConfig(
        text_config={**shape, "vocab_size": WORDS, "max_position_embeddings": 64},
        vision_config={**shape, "image_size": size, "patch_size": 16},
    )
    SiglipModel(config).save_pretrained(path)
    SiglipImageProcessorPil(size={"height": size, "width": size}).save_pretrained(path)
    (path / "README.md").write_text("---\nlicense: other\n---\nA stand-in with random weights.\n")


def _texts():
    return [text for text, *_ in captions(800, seed=1)] + [
        f"the quick brown fox, line {i}" for i in range(200)
    ]


def _byte_tokenizer(path, kind, first, last, pad):
    """A byte-level BPE, saved as transformers does, and marked as what the original is."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = list(dict.fromkeys(mark for mark in ("<unk>", first, last, pad) if mark))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=WORDS, initial_alphabet=alphabet, special_tokens=marks)
    tokenizer.train_from_iterator(_texts(), trainer)
    _save(tokenizer, path, kind, bos_token=first, eos_token=last, unk_token="<unk>", pad_token=pad)


def _clip_tokenizer(path):
    """CLIP's is in small letters, and marks the ends of words."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    alphabet, marks = pre_tokenizers.ByteLevel.alphabet(), ["<unk>", "</s>", "<s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS, initial_alphabet=alphabet, special_tokens=marks, end_of_word_suffix="</w>"
    )
    tokenizer.train_from_iterator([text.lower() for text in _texts()], trainer)
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    _save(tokenizer, path, "CLIPTokenizer", **names)


def _gemma_tokenizer(path):
    """Gemma's is no byte-level BPE: blanks are a mark, unknown characters fall back to bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps)
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(_texts(), trainers.BpeTrainer(vocab_size=WORDS, special_tokens=marks))
    names = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}
    _save(tokenizer, path, "GemmaTokenizer", **names)


def _save(tokenizer, path, kind, **names):
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(path)
    config = json.loads((path / "tokenizer_config.json").read_text())
    config.pop("backend", None)
    (path / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": kind}, indent=1))


def _sentencepiece(path):
    """Only a sentencepiece model, as the older repositories have it."""
    (path / "texts.txt").write_text("\n".join(_texts()))
    sentencepiece.SentencePieceTrainer.train(
        input=str(path / "texts.txt"), model_prefix=str(path / "tokenizer"), vocab_size=WORDS, model_type="bpe",
        byte_fallback=True, character_coverage=1.0, hard_vocab_limit=False, minloglevel=2, num_threads=1,
    )  # fmt: skip
    (path / "texts.txt").unlink()
    (path / "tokenizer.vocab").unlink()
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    config |= {"add_bos_token": True, "add_eos_token": False}
    (path / "tokenizer_config.json").write_text(json.dumps(config))


def vision_model(root, name, size=112):
    """A ViT with two blocks, or a ResNet of four stages and a stem, of width 32 and under its own id, by the model arguments that
    the hub's config.json may have."""
    import timm

    bare = name.removeprefix("timm/")
    arguments = {"depth": BLOCKS, "embed_dim": WIDTH, "num_heads": 4, "img_size": size}
    if bare.startswith("resnet"):
        narrow = (
            WIDTH // 4 if bare.startswith("resnet50") else WIDTH
        )  # a bottleneck's output is four times as wide
        arguments = {"layers": [1, 1, 1, 1], "channels": [narrow] * 4}
    torch.manual_seed(sum(map(ord, name)))
    model = timm.create_model(bare, pretrained=False, **arguments)
    for part, values in model.named_parameters():
        if part.endswith(
            (".gamma", ".gamma_1", ".gamma_2")
        ):  # 1e-5 before training: class tokens would differ by rounding only
            torch.nn.init.ones_(values)
    kept = (
        "num_classes",
        "mean",
        "std",
        "crop_pct",
        "interpolation",
        "pool_size",
        "first_conv",
        "classifier",
    )
    data = {key: value for key, value in model.pretrained_cfg.items() if key in kept}
    data |= {"input_size": [3, size, size], "fixed_input_size": "depth" in arguments, "custom_load": False}
    config = {"architecture": bare.split(".")[0], "num_classes": model.num_classes}
    config |= {"num_features": model.num_features, "model_args": arguments}
    config["global_pool"] = "avg" if bare.startswith("resnet") else model.global_pool
    path = folder(root, "models", name)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(state, path / "model.safetensors", metadata={"format": "pt"})
    config["pretrained_cfg"] = {"tag": bare.split(".")[1], **data}
    (path / "config.json").write_text(json.dumps(config, indent=1))
    (path / "README.md").write_text("---\nlicense: other\n---\nA stand-in with random weights.\n")


def pictured(count, seed=0):
    """So many made-up captions, each with its picture: (caption, colour, shape, PNG)."""
    for text, colour, shape, place in captions(count, seed):
        image = Image.new("RGB", (48, 40), "white")
        x, y = {"left": (4, 14), "right": (28, 14), "top": (16, 2), "bottom": (16, 24)}.get(place, (16, 13))
        box, pen = (x, y, x + 14, y + 14), ImageDraw.Draw(image)
        if shape == "circle":
            pen.ellipse(box, fill=colour)
        elif shape == "triangle":
            pen.polygon([(x, y + 14), (x + 14, y + 14), (x + 7, y)], fill=colour)
        else:
            pen.rectangle(box if shape == "square" else (x, y + 5, x + 14, y + 9), fill=colour)
        stored = io.BytesIO()
        image.save(stored, "PNG")
        yield text, colour, shape, stored.getvalue()


def pairs(root, name="minhuh/prh", revision="wit_1024", count=1024):
    """Image-caption pairs in two Parquet files; each image has three texts, the caption first."""
    table = []
    for text, colour, shape, image in pictured(count):
        texts = [text, f"A page on {shape}s.", f"A section on {colour} things."]
        table.append({"image": {"bytes": image, "path": None}, "text": texts})
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", image), ("text", pa.list_(pa.string()))])
    path = folder(root, "datasets", name, revision)
    (path / "data").mkdir(exist_ok=True)
    half = count // 2
    for shard, part in enumerate((table[:half], table[half:])):
        target = path / "data" / f"train-{shard:05d}-of-00002.parquet"
        parquet.write_table(pa.Table.from_pylist(part, schema=schema), target)
    (path / "README.md").write_text("---\nlicense: other\n---\nMade-up pairs.\n")


def more_pairs(root, name="askoepke/wit_1m_recaptioned", count=60, files=4):
    """The subset wit_1m in so many files of `count` rows, every tenth without a caption, and wit_1024 beside it."""
    path = folder(root, "datasets", name)
    for number in range(files):
        rows = [
            {
                "image": {"bytes": image, "path": None},
                "original_caption": text if i % 10 else "",
                "gemini_caption": text,
            }
            for i, (text, _, _, image) in enumerate(pictured(count, seed=10 + number))
        ]
        (path / "wit_1m").mkdir(exist_ok=True)
        target = path / "wit_1m" / f"train-{number:05d}-of-{files:05d}.parquet"
        parquet.write_table(pa.Table.from_pylist(rows), target)
    (path / "wit_1024").mkdir(exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), path / "wit_1024/train-00000-of-00001.parquet")
    (path / "README.md").write_text("---\nlicense: other\n---\nMade-up pairs.\n")


def text(root, name="openwebtext", documents=400):
    """Documents in two Parquet files, at the revision of the corpus table's row."""
    row = next(row for row in rows("corpora.tsv") if row["name"] == name)
    path = folder(root, "datasets", row["repo"], row["revision"] or "main")
    (path / "plain_text").mkdir(exist_ok=True)
    lines = _texts()
    draw = random.Random(2)
    for shard in range(2):
        made = [
            f"Document {shard}.{i}. " + ". ".join(draw.choices(lines, k=8)) for i in range(documents // 2)
        ]
        parquet.write_table(
            pa.table({"text": made}), path / "plain_text" / f"train-{shard:05d}-of-00002.parquet"
        )
    (path / "README.md").write_text("---\nlicense: other\n---\nMade-up text.\n")


def benchmarks(root, count=12):
    """HellaSwag and GSM8K in their layouts, with made-up questions."""
    splits = {
        "openai/gsm8k": ("main", ("train", "test")),
        "Rowan/hellaswag": ("data", ("train", "validation", "test")),
    }
    for name, (below, parts) in splits.items():
        path = folder(root, "datasets", name)
        (path / below).mkdir(exist_ok=True)
        made = [_sum(i) if "gsm8k" in name else _ending(i) for i in range(count)]
        lines = [
            "---",
            "configs:",
            f"- config_name: {'main' if 'gsm8k' in name else 'default'}",
            "  data_files:",
        ]
        for part in parts:
            parquet.write_table(pa.Table.from_pylist(made), path / below / f"{part}-00000-of-00001.parquet")
            lines += [f"  - split: {part}", f"    path: {below}/{part}-*"]
        (path / "README.md").write_text("\n".join([*lines, "---", ""]))


def _sum(i):
    total = 2 * i + 1
    answer = f"Ann has {i}+{i + 1}=<<{i}+{i + 1}={total}>>{total}.\n#### {total}"
    return {"question": f"Ann has {i} apples and buys {i + 1} more. How many has she?", "answer": answer}


def _ending(i):
    context = f"A man stands at sink {i}."
    endings = ["washes a plate.", "flies away. [title] Fly", "eats the sink.", "paints a wall."]
    facts = {
        "ind": i,
        "activity_label": "Washing dishes",
        "ctx_a": context,
        "ctx_b": "he",
        "ctx": f"{context} he",
    }
    facts |= {
        "endings": endings,
        "source_id": f"activitynet~v_{i}",
        "split": "train",
        "split_type": "indomain",
    }
    return {**facts, "label": str(i % 4)}


def labelled(count, seed=0):
    """So many small pictures with the numbers of their colours as classes: (PNG, class)."""
    found = []
    for number, (_, colour, shape, _) in enumerate(captions(count, seed)):
        image = Image.new("RGB", (32, 32), "white")
        box = (4 + number % 7, 6, 20 + number % 7, 22)
        getattr(ImageDraw.Draw(image), "ellipse" if shape == "circle" else "rectangle")(box, fill=colour)
        stored = io.BytesIO()
        image.save(stored, "PNG")
        found.append((stored.getvalue(), COLOURS.index(colour) % 4))
    return found


def cifar(root, count=200):
    """CIFAR-10's layout: two splits of Parquet files with the columns img and label."""
    path = folder(root, "datasets", "uoft-cs/cifar10")
    (path / "plain_text").mkdir(exist_ok=True)
    for seed, split in enumerate(("train", "test")):
        table = [{"img": {"bytes": image, "path": None}, "label": c} for image, c in labelled(count, seed)]
        parquet.write_table(
            pa.Table.from_pylist(table), path / "plain_text" / f"{split}-00000-of-00001.parquet"
        )
    (path / "README.md").write_text("---\nlicense: unknown\n---\nMade-up pictures.\n")


def tasks(root, count=48):
    """The archives of the tasks of figure 2, as WebDataset has them: pictures, classes and their names, in two splits."""
    for row in rows("datasets.tsv"):
        if row["source"] != "webdataset":
            continue
        path = folder(root, "datasets", row["repo"])
        (path / "classnames.txt").write_text("\n".join(COLOURS[:4]) + "\n")
        (path / "README.md").write_text("---\nlicense: other\n---\nMade-up pictures.\n")
        for split in ("train", "test"):
            (path / split).mkdir(exist_ok=True)
            with tarfile.open(path / split / "0.tar", "w") as archive:
                for number, (image, label) in enumerate(labelled(count // 2, len(row["name"]))):
                    for ending, data in (("png", image), ("cls", str(label).encode())):
                        member = tarfile.TarInfo(f"s{number:07d}.{ending}")
                        member.size = len(data)
                        archive.addfile(member, io.BytesIO(data))


def folders(run, count=40):
    """What a user has to get by hand: Places-365's validation images, and Densely Captioned Images."""
    places, dci = run / "data/places365_val", run / "data/dci"
    for path in (places, dci / "complete", dci / "photos"):
        path.mkdir(parents=True)
    texts = captions(count, seed=3)
    for number, (image, _) in enumerate(labelled(count, seed=3)):
        (places / f"Places365_val_{number:08d}.png").write_bytes(image)
        (dci / "photos" / f"sa_{number}.png").write_bytes(image)
        short, colour, shape, place = texts[number]
        part = {"label": shape, "caption": f"It is {colour}.", "mask_quality": number % 3}
        entry = {
            "image": f"sa_{number}.png",
            "short_caption": short,
            "extra_caption": f"Something at the {place}.",
        }
        (dci / "complete" / f"sa_{number}.json").write_text(json.dumps({**entry, "mask_data": {"0": part}}))
    splits = {"train": [f"sa_{number}.json" for number in range(count - 8)], "valid": [], "test": []}
    (dci / "splits.json").write_text(json.dumps(splits))


MAKERS = {
    "causal_lm": language_model,
    "text_encoder": text_encoder,
    "masked_lm": text_encoder,
    "dual_encoder": dual_encoder,
    "vision": two_towers,
    "timm_vit": vision_model,
    "timm_cnn": vision_model,
}


def everything(root, chosen=None):
    """All that config/paper.yaml asks for; of the models perhaps only the repositories that are `chosen`."""
    for kind, make in MAKERS.items():
        for name in repositories(type=kind):
            if chosen is None or name in chosen:
                make(root, name)
    pairs(root)
    more_pairs(root)
    text(root)
    benchmarks(root)
    cifar(root)
    tasks(root)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    everything(sys.argv[1])
