"""How fast features of captions are extracted, beside a plain loop, in one run.

    python benchmarks/features.py                     a LLaMA of 20 million parameters on the processor
    python benchmarks/features.py --size 1b --device cuda --peak-tflops 989

The baseline does what the paper's code is known to do: batches of 4, each padded to the longest caption of the data set, all
hidden states stacked, then averaged over the valid tokens. Both sides get the same random weights and the same made-up
captions, whose lengths are distributed as those of WIT: median 20 tokens, longest about 300. Each side runs in a process of
its own, so that peak memory is its own; starting and building the model is counted apart. What counts is tokens of real
text per second. With --peak-tflops the share of the chip's peak is 2 x parameters x tokens over it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from prh.features.language import extract_features

TARGET = 5  # times the baseline's tokens per second, from the project's plan
VOCABULARY = 2000
SIZES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4},
    "20m": {"hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 8},
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
    },
}


def captions(count: int) -> list[str]:
    """Captions of made-up words; lengths log-normal, median 20, so that the longest of 1,024 has about 300."""
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.normal(np.log(20), 0.85, count)).round().clip(2, 300).astype(int)
    lengths[0] = 300
    return [" ".join(f"w{word}" for word in rng.integers(0, VOCABULARY - 3, n)) for n in lengths]


def build(size: str, device: str, dtype: str) -> tuple:
    """A LLaMA with random weights, and a tokenizer of whole words."""
    words = {"<s>": 0, "</s>": 1, "<unk>": 2} | {f"w{i}": i + 3 for i in range(VOCABULARY - 3)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="</s>")
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=512, **SIZES[size])
    with torch.device(device):
        model = LlamaModel(config).to(getattr(torch, dtype))
    return model.eval(), fast


def baseline(model, tokenizer, texts: list[str], device: str) -> np.ndarray:
    """The plain loop; (n, layers, width)."""
    tokens = tokenizer(texts, padding="longest", return_tensors="pt", padding_side="left")
    kept = []
    for begin in range(0, len(texts), 4):
        ids = tokens["input_ids"][begin : begin + 4].to(device)
        mask = tokens["attention_mask"][begin : begin + 4].to(device)
        with torch.no_grad():
            states = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        stacked = torch.stack(states, dim=1)
        valid = mask[:, None, :, None]
        kept.append(((stacked * valid).sum(dim=2) / valid.sum(dim=2)).float().cpu())
    return torch.cat(kept).numpy()


def ours(model, tokenizer, texts: list[str], device: str, batch_tokens: int | None) -> np.ndarray:
    """The workflow's; (n, layers, width)."""
    layers = extract_features(model, tokenizer, texts, batch_tokens, device)
    return torch.stack(list(layers.values()), dim=1).numpy()


def measure(given: argparse.Namespace) -> None:
    """One side, in this process: prints what it took as JSON and saves its features."""
    torch.set_num_threads(given.threads)
    texts = captions(given.captions)
    began = time.perf_counter()
    model, tokenizer = build(given.size, given.device, given.dtype)
    ready = time.perf_counter()
    side = {"baseline": baseline, "ours": lambda *a: ours(*a, given.batch_tokens)}[given.side]
    if given.device != "cpu":  # kernels are compiled and chosen at their first use
        side(model, tokenizer, texts[:8], given.device)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        ready = time.perf_counter()
    features = side(model, tokenizer, texts, given.device)
    done = time.perf_counter()
    np.save(given.save, features)
    memory = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if given.device == "cpu"
        else torch.cuda.max_memory_allocated() / 2**20
    )
    parameters = sum(value.numel() for name, value in model.named_parameters() if "embed" not in name)
    print(
        json.dumps({"start": ready - began, "run": done - ready, "memory": memory, "parameters": parameters})
    )


def main() -> None:
    """Run both sides and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="20m")
    parser.add_argument("--captions", type=int, default=256)
    parser.add_argument("--batch-tokens", type=int, help="of the workflow's side (default: the workflow's)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default=None, help="default: bfloat16 on a GPU, else float32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak-tflops", type=float, default=None, help="of the chip, in this dtype")
    parser.add_argument("--side", choices=["baseline", "ours"], help=argparse.SUPPRESS)
    parser.add_argument("--save", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.dtype = given.dtype or ("float32" if given.device == "cpu" else "bfloat16")
    if given.side:
        measure(given)
        return
    tokens = sum(len(text.split()) for text in captions(given.captions))
    found, features = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for side in ("baseline", "ours"):
            path = Path(folder) / f"{side}.npy"
            command = [sys.executable, __file__, "--side", side, "--save", str(path)]
            for name in ("size", "captions", "device", "dtype", "threads"):
                command += [f"--{name}", str(getattr(given, name))]
            if given.batch_tokens:
                command += ["--batch-tokens", str(given.batch_tokens)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            found[side], features[side] = json.loads(done.stdout.splitlines()[-1]), np.load(path)
    lengths = sorted(len(text.split()) for text in captions(given.captions))
    print(
        f"{given.captions} captions, {tokens} tokens, median {lengths[len(lengths) // 2]}, longest {lengths[-1]}; "
        f"{given.size}, {given.dtype}, {given.device}, {given.threads} thread(s)"
    )
    print(
        f"{'':10}{'start s':>9}{'run s':>9}{'tokens/s':>11}{'peak MB':>9}"
        + ("  of peak" if given.peak_tflops else "")
    )
    for side, row in found.items():
        rate = tokens / row["run"]
        line = f"{side:10}{row['start']:9.2f}{row['run']:9.2f}{rate:11.0f}{row['memory']:9.0f}"
        if given.peak_tflops:
            line += f"{2 * row['parameters'] * rate / given.peak_tflops / 1e12:9.1%}"
        print(line)
    norms = np.linalg.norm(features["baseline"], axis=-1)
    apart = np.linalg.norm(features["ours"] - features["baseline"], axis=-1) / norms
    ratio = found["baseline"]["run"] / found["ours"]["run"]
    print(
        f"{ratio:.1f} times as fast (target: {TARGET}); features differ by at most {apart.max():.1e} of their length"
    )


if __name__ == "__main__":
    main()
