"""What the paper's grid and a thousand models cost: GPU and CPU hours, disk and memory. Arithmetic, nothing is run.

    python benchmarks/scale.py                        the table of docs/scale.md
    python benchmarks/scale.py --tflops 400 --gb-per-second 3

Sizes are stated below, rates are options; their defaults are measured (CPU, see docs/scale.md) or assumed (GPU).
"""

import argparse
from dataclasses import dataclass

N = 1024  # image-caption pairs
# Name, parameters in billions, layers with the embedding, width: the paper's twelve language models.
LANGUAGE = [
    ("bloomz-560m", 0.559, 25, 1024),
    ("bloomz-1b1", 1.065, 25, 1536),
    ("bloomz-1b7", 1.722, 25, 2048),
    ("bloomz-3b", 3.003, 31, 2560),
    ("bloomz-7b1", 7.069, 31, 4096),
    ("open_llama_3b", 3.426, 27, 3200),
    ("open_llama_7b", 6.738, 33, 4096),
    ("open_llama_13b", 13.016, 41, 5120),
    ("llama-7b", 6.738, 33, 4096),
    ("llama-13b", 13.016, 41, 5120),
    ("llama-30b", 32.529, 61, 6656),
    ("llama-65b", 65.286, 81, 8192),
]
# Likewise its seventeen ViTs, by size: how many of them, parameters in billions, blocks, width, tokens per image.
VISION = [
    (1, 0.006, 12, 192, 197),
    (1, 0.022, 12, 384, 197),
    (2, 0.086, 12, 768, 197),
    (2, 0.303, 24, 1024, 197),
    (1, 0.631, 32, 1280, 257),
    (1, 0.022, 12, 384, 1370),
    (1, 0.087, 12, 768, 1370),
    (1, 0.304, 24, 1024, 1370),
    (1, 1.137, 40, 1536, 1370),
    (2, 0.086, 12, 768, 197),
    (2, 0.303, 24, 1024, 257),
    (2, 0.631, 32, 1280, 257),
]


@dataclass
class Side:
    """Sums over the models of one modality. `work` is parameters times tokens of all items, in 1e9."""

    models: int
    billions: float
    layers: int
    values: int  # layers times width: numbers per item
    work: float

    def times(self, count: int) -> "Side":
        """As many models of the same mean size."""
        f = count / self.models
        return Side(count, self.billions * f, round(self.layers * f), round(self.values * f), self.work * f)


def sides(tokens: float) -> tuple[Side, Side]:
    """The paper's language and vision models; `tokens` is the mean length of a caption."""
    total = sum(size for _, size, _, _ in LANGUAGE)
    values = sum(layers * width for _, _, layers, width in LANGUAGE)
    language = Side(len(LANGUAGE), total, sum(row[2] for row in LANGUAGE), values, total * tokens * N)
    billions = sum(count * size for count, size, *_ in VISION)
    values = sum(count * layers * width for count, _, layers, width, _ in VISION)
    work = sum(count * size * patches * N for count, size, _, _, patches in VISION)
    layers = sum(count * layers for count, _, layers, _, _ in VISION)
    return language, Side(sum(row[0] for row in VISION), billions, layers, values, work)


def cost(language: Side, vision: Side, rates: argparse.Namespace) -> dict[str, float]:
    """The rows of the table."""
    flop_per_hour, layers = rates.tflops * 1e12 * 3600, language.layers + vision.layers
    across, every = language.layers * vision.layers, layers * (layers - 1) / 2
    weights = 2 * language.billions + 4 * vision.billions  # GB: bfloat16 and float32
    values = language.values + vision.values
    return {
        "models": language.models + vision.models,
        "layer pairs, language with vision (millions)": across / 1e6,
        "layer pairs, all (millions)": every / 1e6,
        "GPU hours: loading weights, twice": 2 * weights / rates.gb_per_second / 3600,
        "GPU hours: features": 2e9 * (language.work + vision.work) / flop_per_hour,
        "GPU hours: bits-per-byte": 2e9 * language.billions * rates.corpus * rates.overlap / flop_per_hour,
        "CPU hours: neighbours": rates.index * values / 3600,
        "CPU hours: mutual k-NN of all layer pairs": rates.pair * every / 3600,
        "CPU hours: null of language with vision, K = 500": rates.null * 500 * across / 3600,
        "disk, GB: weights": weights,
        "disk, GB: features": 4 * N * values / 1e9,
        "disk, GB: neighbours, k = 100": 4 * N * 100 * layers / 1e9,
        "disk, GB: scores of all layer pairs, per metric": rates.row * every / 1e9,
    }


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    rates = {
        "tflops": (150, "TFLOP/s that a GPU reaches (assumed)"),
        "gb_per_second": (1, "GB/s of reading weights (assumed)"),
        "tokens": (30, "mean tokens of a caption (assumed; the median of WIT is about 20)"),
        "corpus": (4e6, "tokens for bits-per-byte"),
        "overlap": (2, "window over stride"),
        "index": (1.86e-5, "CPU seconds per layer and unit of width, ranking neighbours (measured)"),
        "pair": (3.1e-5, "CPU seconds per layer pair, mutual k-NN from neighbours (measured)"),
        "null": (9.4e-6, "CPU seconds per layer pair and permutation (measured)"),
        "row": (4, "bytes per layer pair in Parquet (measured)"),
    }
    for name, (value, text) in rates.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value, help=text)
    rates = parser.parse_args()
    paper = sides(rates.tokens)
    columns = [cost(*paper, rates), cost(*(side.times(500) for side in paper), rates)]
    print("| | paper's grid, 12 x 17 | 500 x 500 of the same mean sizes |\n|---|---|---|")
    for name in columns[0]:
        values = [column[name] for column in columns]
        print(f"| {name} | {' | '.join(f'{v:,.2g}' if v < 100 else f'{v:,.0f}' for v in values)} |")


if __name__ == "__main__":
    main()
