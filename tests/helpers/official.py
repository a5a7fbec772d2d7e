"""Stand-ins of the authors' 29 files: their names, small shapes, and tables of the working directory that say so."""

import csv
import hashlib
from pathlib import Path

import torch

from helpers.project import ROOT

FACTS = Path("config/published/official_features.tsv")
TABLE = Path("config/models_official.tsv")
PAIRS, WIDTH = 1024, 12


def facts():
    """The authors' files as the project's table has them: (comments, rows)."""
    lines = (ROOT / FACTS).read_text().splitlines()
    rows = csv.DictReader([line for line in lines if not line.startswith("#")], delimiter="\t")
    return [line for line in lines if line.startswith("#")], list(rows)


def make(folder, models=None, layers=2, pairs=PAIRS):
    """Write stand-ins to `folder`, of the models named or of all, as the authors' code writes: `feats` (pairs, layers, width), for language
    models in bfloat16 with a mask of tokens; and both tables below the working directory's config/. Features share four directions,
    so that models agree.
    """
    comments, rows = facts()
    shared = torch.randn(pairs, 4, generator=torch.Generator().manual_seed(0))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for seed, row in enumerate(rows):
        row |= {"layers": str(layers), "width": str(WIDTH)}
        if models is not None and row["model"] not in models:
            continue
        own = torch.randn(pairs, layers, WIDTH - 4, generator=torch.Generator().manual_seed(seed + 1))
        feats = torch.cat([own, shared[:, None].expand(pairs, layers, 4)], dim=2)
        found = {"feats": feats.to(getattr(torch, row["dtype"])), "num_params": 7}
        if row["longest_tokens"]:
            found["mask"] = torch.ones(pairs, 3, dtype=torch.int64)
        path = Path(folder, row["file"])
        torch.save(found, path)
        row |= {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": str(path.stat().st_size)}
    FACTS.parent.mkdir(parents=True, exist_ok=True)
    _write(FACTS, rows, comments)
    with (ROOT / TABLE).open() as file:
        table = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    _write(TABLE, [row | {"layers": layers, "width": WIDTH, "parameters": ""} for row in table])


def _write(path, rows, comments=()):
    lines = [*comments, "\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
