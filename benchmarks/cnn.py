"""How fast a CNN runs on a processor: by ONNX Runtime, as the workflow does it, beside PyTorch, in one run.

    python benchmarks/cnn.py results/models/mobilenet-v2          a model of a finished run
    python benchmarks/cnn.py results/models/efficientnet-lite2 --threads 1 --images 64

Both have the same weights, and batches of the workflow's size. First it is checked that they give the same.
"""

import argparse
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from prh.features import cnn
from prh.features.onnx_session import open_network
from prh.provenance import read_manifest

BATCH, TOLERANCE = 4, 1e-3


def seconds(run, images):
    """The best of three times through all images."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for batch in images.split(BATCH):
            run(batch)
        best = min(best, time.perf_counter() - start)
    return best


def main():
    """Print images per second of both, and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="a CNN that the workflow made ready")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=32)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    row = SimpleNamespace(**read_manifest(asked.folder))
    images = torch.rand(asked.images, 3, row.image_size, row.image_size)
    with torch.inference_mode():
        plain = cnn.load(row, asked.folder)
        network = open_network(cnn.exported(plain, row.image_size), asked.threads, asked.folder)
        for name, values in plain(images[:BATCH]).items():
            off = float((network(images[:BATCH])[name] - values).abs().max() / values.abs().max())
            assert off < TOLERANCE, f"layer {name} differs by {off:.0e}"
        times = {"PyTorch": seconds(plain, images), "ONNX Runtime": seconds(network, images)}
    for name, taken in times.items():
        print(f"{name:13} {asked.images / taken:7.1f} images per second")
    print(f"ratio         {times['PyTorch'] / times['ONNX Runtime']:7.2f}")


if __name__ == "__main__":
    main()
