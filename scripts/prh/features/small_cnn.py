"""A CNN of four layers that the run itself trains, on images that it makes up: no labels, no data of others.

By alignment and uniformity (Wang and Isola 2020, arXiv:2005.10242), as most of the paper's networks in its figure 2: two crops of
one image shall lie near each other, and all crops far apart. The column `architecture` names the images (Baradad et al. 2021,
arXiv:2106.05963): "noise", colour noise whose spectrum falls with the frequency; "leaves", discs that cover each other.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from prh.errors import InputError, about
from prh.features.images import extract_features
from prh.job import progress
from prh.sources.datasets import paths_of

WIDTHS = (16, 32, 64, 128)
IMAGES, SIDE, CROP = 512, 72, 48  # images that are made up, their side, that of a crop
STEPS, BATCH, RATE = 150, 32, 2e-3  # BATCH images, two crops of each
DISCS = 120


def make_ready(row, wheels, seed, folder):
    """Write the weights of a table's row to `folder`: trained, or drawn from `seed` where its init is random."""
    Path(folder).mkdir(parents=True)
    torch.manual_seed(seed)
    network = build()
    if row.init != "random":
        if row.architecture not in MADE_UP:
            known = ", ".join(MADE_UP)
            raise InputError(f"{row.name}: key `architecture`: `{row.architecture}` is not one of {known}")
        train(network, MADE_UP[row.architecture](np.random.default_rng(seed)))
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, Path(folder) / "model.safetensors")


def build():
    """The network, untrained: images (b, 3, side, side) in, (b, 128, side / 16, side / 16) out."""
    layers = []
    for before, width in zip((3, *WIDTHS), WIDTHS, strict=False):
        layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def train(network, images, steps=STEPS):
    """Train the network in place on uint8 images (n, side, side, 3)."""
    optimiser = torch.optim.Adam(network.parameters(), RATE)
    images = torch.from_numpy(images)
    for _ in progress(range(steps), "training", unit="step"):
        some = images[torch.randint(len(images), (BATCH,))]
        embedded = network(torch.cat([crops(some), crops(some)])).mean(dim=(2, 3))
        loss = alignment_and_uniformity(*nn.functional.normalize(embedded).chunk(2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def alignment_and_uniformity(x, y):
    """The mean squared distance of pairs, and the logarithm of the mean of exp(-2 d^2) over all others; x, y: (b, d) of length 1."""
    spread = [torch.pdist(each).square().mul(-2).exp().mean().log() for each in (x, y)]
    return (x - y).square().sum(dim=1).mean() + sum(spread) / 2


def crops(images):
    """Of each image a square, perhaps mirrored, in other strengths of its colours: uint8 (b, side, side, 3) -> (b, 3, CROP, CROP)."""
    count, side = images.shape[:2]
    step = torch.arange(CROP)
    rows, columns = (torch.randint(side - CROP + 1, (count, 1)) + step for _ in range(2))
    columns = torch.where(torch.rand(count, 1) < 0.5, columns, columns.flip(1))
    pixels = images[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None]].float() / 255
    strengths = 0.6 + 0.8 * torch.rand(count, 1, 1, 3)
    return ((pixels * strengths - 0.5) / 0.5).permute(0, 3, 1, 2)  # (pixel - mean) / std of the table's rows


def noise(rng, count=IMAGES, side=SIDE):
    """Colour noise whose amplitude falls as 1 / f: uint8 (count, side, side, 3)."""
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    f[0, 0] = 1 / side
    spectrum = np.fft.rfft2(rng.standard_normal((count, 3, side, side))) / f
    values = np.fft.irfft2(spectrum, s=(side, side))
    values /= values.std(axis=(1, 2, 3), keepdims=True)
    return (np.clip(0.5 + 0.25 * values, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1).copy()


def leaves(rng, count=IMAGES, side=SIDE):
    """Discs of many sizes and colours that cover each other: uint8 (count, side, side, 3)."""
    found = []
    for _ in range(count):
        image = Image.new("RGB", (side, side))
        pen = ImageDraw.Draw(image)
        radii = 2 / rng.uniform(0.06, 1, DISCS)  # density as 1 / r^2
        places = rng.uniform(0, side, (DISCS, 2))
        boxes = np.hstack([places - radii[:, None], places + radii[:, None]])
        colours = rng.integers(256, size=(DISCS, 3))
        for box, colour in zip(boxes.tolist(), colours.tolist(), strict=True):
            pen.ellipse(box, fill=tuple(colour))
        found.append(np.asarray(image))
    return np.stack(found)


MADE_UP = {"noise": noise, "leaves": leaves}


def load(row, folder, device="cpu", threads=1):
    """A function from images (b, 3, size, size) to layer name -> global average (b, d), of a folder made by `make_ready`."""
    network = build()
    try:
        network.load_state_dict(load_file(Path(folder) / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: weights do not fit {row.type} ({str(error).splitlines()[0]})") from None
    network = network.eval().requires_grad_(False).to(device)

    def layers_of(images):
        found, state = {}, images.to(device, memory_format=torch.channels_last)
        for number in range(len(WIDTHS)):
            state = network[3 * number : 3 * number + 3](state)
            found[f"layer{number + 1}"] = state.mean(dim=(2, 3))
        return found

    return layers_of


def features(row, folder, dataset, settings, machine):
    """Layers (n, d) by name, and what the feature file says of them; see `adapters`."""
    with about(folder):
        layers = extract_features(
            load(row, folder, machine.device), row, paths_of(dataset), settings["batch_images"]
        )
    return layers, {"pooling": "global average after each layer"}
