"""The kinds of artifacts that a run leaves behind: where each lies, what it should be, how a sample of it is made again.

A check is a generator: it takes the run and the artifact's name, and yields a reason for each thing that is wrong. A sample takes
a random generator too, and returns (reasons, remark). Nothing is taken from memory: what belongs together is read again from files.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from prh.audit import (
    checks_measures,
    checks_sources,
    checks_tables,
    checks_transfer,
    over_n,
    samples,
    samples_of_models,
    samples_of_transfer,
)
from prh.audit.ways import NotHere


class Kind(NamedTuple):
    """A kind of artifact: a pattern of its path, its check, and its sample where one can be made again."""

    path: str
    check: Callable
    sample: Callable | None = None


SHARD = "shard"  # of features; gone when it is merged
KINDS = {
    "package": Kind(r"results/packages/[^/]+\.whl", checks_sources.package),
    "dataset": Kind(r"results/data/[^/]+", checks_sources.dataset),
    "corpus": Kind(r"results/corpora/[^/]+\.txt", checks_sources.corpus),
    "model": Kind(r"results/models/[^/]+", checks_sources.model),
    "features": Kind(
        r"results/features/.+\.safetensors", checks_measures.features, samples_of_models.features
    ),
    SHARD: Kind(r"results/shards/.+\.safetensors", checks_measures.features, samples_of_models.features),
    "summaries": Kind(
        r"results/levels/.+/summaries\.parquet", checks_sources.summaries, samples_of_models.summaries
    ),
    "caption levels": Kind(r"results/levels/.+/captions\.parquet", checks_sources.caption_levels),
    "level features": Kind(
        r"results/levels/.+\.safetensors", checks_measures.level_features, samples_of_models.level_features
    ),
    "colour words": Kind(
        r"results/colour/.+\.json", checks_measures.colour_words, samples_of_models.colour_words
    ),
    "colour places": Kind(r"results/colour/places\.csv", checks_measures.colour_places),
    "neighbors": Kind(r"results/neighbors/.+\.safetensors", checks_measures.neighbors, samples.neighbors),
    "neighbor candidates": Kind(
        r"results/neighbor_candidates/.+\.safetensors",
        checks_measures.neighbor_candidates,
        samples.neighbor_candidates,
    ),
    "alignment": Kind(r"results/alignment/.+\.parquet", checks_measures.alignment, samples.alignment),
    "calibration": Kind(r"results/calibration/.+\.parquet", checks_measures.calibration, samples.calibration),
    "performance": Kind(
        r"results/performance/.+\.json", checks_measures.performance, samples_of_models.performance
    ),
    "captions": Kind(r"results/captions/.+\.json", checks_measures.captions, samples_of_models.captions),
    "downstream": Kind(r"results/downstream/.+\.json", checks_measures.downstream),
    "alignment table": Kind(r"results/tables/alignment\.csv", checks_tables.alignment_table),
    "performance table": Kind(r"results/tables/performance\.csv", checks_tables.performance_table),
    "licences table": Kind(r"results/tables/licences\.csv", checks_tables.licences_table),
    "correlation table": Kind(r"results/tables/correlation\.csv", checks_tables.correlation_table),
    "density table": Kind(
        r"results/tables/caption_density\.csv", checks_tables.density_table, samples.density
    ),
    "colour table": Kind(r"results/tables/colours\.csv", checks_tables.colour_table, samples.colour),
    "downstream table": Kind(r"results/tables/downstream\.csv", checks_tables.downstream_table),
    "labels": Kind(r"results/labels/.+\.parquet", checks_transfer.labels, samples_of_transfer.labels),
    "probes": Kind(r"results/probes/.+\.parquet", checks_transfer.probes, samples_of_transfer.probes),
    "transfer table": Kind(r"results/tables/transfer\.csv", checks_transfer.transfer_table),
    "competence table": Kind(r"results/tables/competence\.csv", checks_transfer.competence_table),
    "table of vision pairs": Kind(
        r"results/tables/vision_pairs\.csv", checks_transfer.pairs_table, samples_of_transfer.pairs
    ),
    "convergence table": Kind(r"results/tables/convergence\.csv", checks_transfer.convergence_table),
    "table of places": Kind(r"results/tables/vision_places\.csv", checks_transfer.places_table),
    "layers table": Kind(r"results/tables/layers\.csv", checks_measures.layers_table, samples.layers),
    "likelihoods": Kind(
        r"results/likelihoods/.+\.safetensors", checks_measures.likelihoods, samples_of_models.likelihoods
    ),
    "likelihoods table": Kind(
        r"results/tables/likelihood_distances\.csv",
        checks_measures.likelihoods_table,
        samples.likelihoods_table,
    ),
    "gap table": Kind(r"results/tables/modality_gap\.csv", checks_measures.gap_table, samples.gap),
    "table over n": Kind(r"results/tables/alignment_over_n\.csv", over_n.over_n_table, over_n.sample),
    "windows table": Kind(
        r"results/tables/distance_windows\.csv", checks_measures.windows_table, samples.windows
    ),
    "figure": Kind(r"figures/.+\.(pdf|png|csv)", checks_tables.figure),
    "report": Kind(r"results/report/.+", checks_tables.report),
    "crate": Kind(r"results/crate\.zip", checks_tables.crate),
}


def kind_of(artifact):
    """The kind of an artifact, by where it lies; "other" if none."""
    return next((kind for kind, facts in KINDS.items() if re.fullmatch(facts.path, artifact)), "other")


def reasons(run, artifact):
    """All that is wrong with an artifact of a known kind; empty if nothing is, or its kind is not known."""
    kind = KINDS.get(kind_of(artifact))
    if kind is None:
        return []
    found = []
    try:
        found.extend(kind.check(run, artifact))
    except Exception as error:  # a damaged file may make a library raise anything
        found.append(f"cannot be checked ({type(error).__name__}: {str(error).split(chr(10))[0]})")
    return found


def has_sample(artifact):
    """Whether a part of such an artifact can be made again."""
    kind = KINDS.get(kind_of(artifact))
    return kind is not None and kind.sample is not None


def remake(run, artifact, rng):
    """Make a sample of an artifact again: (reasons, remark). Raises `NotHere` if that cannot be done."""
    missing = [source for source in run.sources(artifact) if not run.is_intact(source)]
    if missing:
        raise NotHere(f"not made again: {missing[0]} is not there as it was made")
    return KINDS[kind_of(artifact)].sample(run, artifact, rng)
