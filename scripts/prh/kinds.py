"""What kinds of artifacts a run leaves behind, and where each kind lies."""

import re

KINDS = {
    "package": r"results/packages/[^/]+\.whl",
    "dataset": r"results/data/[^/]+",
    "corpus": r"results/corpora/[^/]+\.txt",
    "model": r"results/models/[^/]+",
    "features": r"results/features/.+\.safetensors",
    "neighbors": r"results/neighbors/.+\.safetensors",
    "alignment": r"results/alignment/.+\.parquet",
    "calibration": r"results/calibration/.+\.parquet",
    "performance": r"results/performance/.+\.json",
    "captions": r"results/captions/.+\.json",
    "downstream": r"results/downstream/.+\.json",
    "alignment table": r"results/tables/alignment\.csv",
    "performance table": r"results/tables/performance\.csv",
    "correlation table": r"results/tables/correlation\.csv",
    "downstream table": r"results/tables/downstream\.csv",
    "figure": r"figures/.+\.(pdf|png|csv)",
    "report": r"results/report/.+",
    "crate": r"results/crate\.zip",
}


def kind_of(artifact):
    """The kind of an artifact, by where it lies; "other" if none."""
    return next((kind for kind, path in KINDS.items() if re.fullmatch(path, artifact)), "other")
