"""Models of the user's own, by a path: copied as they are, weights as safetensors, checked; GGUF is expanded."""

import shutil
from pathlib import Path

from prh.errors import about
from prh.sources.hub_models import check_weights, make_safetensors
from prh.sources.model_files import local_files


def make_ready(row, wheels, seed, folder):
    """Make `folder` of what the row's `path` names; see `prh.sources.model_files`. What lies there is not touched."""
    with about(f"model table, row `{row.name}`"):
        files = local_files(row.path)
        if files.layout == "gguf":
            from prh.features.language import expand_gguf

            expand_gguf(files.folder, files.names[0], folder, row.type)
            return
        Path(folder).mkdir(parents=True)
        for name in files.names:  # never linked: what its user overwrites there must not change here
            shutil.copy(files.folder / name, Path(folder) / name)
        make_safetensors(folder)
        check_weights(folder)
