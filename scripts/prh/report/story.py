"""What is said of a run and of its figures, in plain words: for its story, a notebook, and its page."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from prh.report import (
    sentences,
    sentences_beside,
    sentences_gap,
    sentences_layers,
    sentences_over_n,
    sentences_published,
    sentences_vision,
)
from prh.report.markup import as_markdown
from prh.report.run import many, run_of
from prh.tables import read_table

# The figures that the story has words for. Each function takes a `Run` and the figure's numbers, and returns the sentences of
# the four paragraphs of `Told`; None or "" among them is what the run has no facts for.
TOLD = {
    "alignment_vs_performance": sentences.performance,
    "alignment_by_caption_density": sentences_beside.density,
    "colour_geometry": sentences_beside.colours,
    "alignment_matrix": sentences.matrix,
    "layer_alignment": sentences.layers,
    "vision_convergence": sentences_vision.convergence,
    "vision_map": sentences_vision.places,
    "layers_described": sentences_layers.described,
    "alignment_by_distance_window": sentences_layers.windows,
    "modality_gap": sentences_gap.gap,
    "alignment_over_n": sentences_over_n.over_n,
    "neighbours_vs_distances": sentences_layers.neighbours,
    "published_alignment": sentences_published.published,
    "published_by_metric": sentences_published.by_metric,
    "alignment_vs_downstream": sentences_published.downstream,
    "reproduced_vs_published": sentences_published.reproduced,
}
HEADS = ("Asked", "Drawn", "Found", "What it cannot show")


@dataclass(frozen=True)
class Told:
    """What is said of a figure, a paragraph each: what is asked, what is drawn, what is found, what it cannot show."""

    asked: str = ""
    drawn: str = ""
    found: str = ""
    limits: str = ""

    def paragraphs(self):
        """Pairs of a paragraph's head and its text, for those that have one."""
        texts = (self.asked, self.drawn, self.found, self.limits)
        return [(head, text) for head, text in zip(HEADS, texts, strict=True) if text]

    def before(self):
        """What stands above the figure, as Markdown."""
        return _markdown(self.paragraphs(), HEADS[:2])

    def after(self):
        """What stands below it, as Markdown."""
        return _markdown(self.paragraphs(), HEADS[2:])


def _markdown(paragraphs, heads):
    return "\n\n".join(f"**{head}.** {as_markdown(text)}" for head, text in paragraphs if head in heads)


def tell(figure, run, numbers):
    """What is said of a figure of a `Run`: `Told`, empty for a figure that `TOLD` does not have. numbers: its CSV."""
    if figure not in TOLD:
        return Told()
    return Told(*(" ".join(filter(None, part)) for part in TOLD[figure](run, read_table(numbers))))


def read_run(dataset, data, text, metric, models, folder="results/tables"):
    """The `Run` of a data set out of the folder of the final tables."""
    paths = [Path(folder) / f"{name}.csv" for name in ("alignment", "performance", "correlation")]
    return run_of(dataset, data, text, metric, models, *map(read_table, paths))


def opening(run, fitted=""):
    """What is compared, and how. fitted: what was left out or lowered for few items, in words."""
    language, vision = run.of("language"), run.of("vision")
    untrained = [model for model in (*language, *vision) if not run.is_trained(model)]
    who = [f"{many(len(language), 'language model')}, which read only the captions"] if language else []
    who += [f"{many(len(vision), 'vision model')}, which see only the pictures"] if vision else []
    pairs = f"{run.size:,} pairs" if run.size else "pairs"
    found = [f"Compared are {', and '.join(who)}, on {pairs} of a picture and its caption ({run.data})."]
    if run.chance:
        near = f"Of each picture a vision model has {run.k} nearest neighbours, and of its caption a language model has as many."
        found += [
            near if language and vision else f"Of each item a model has {run.k} nearest neighbours.",
            f"The share that two models have in common, averaged over all pairs, is their alignment ({run.metric_label}):",
            f"1 if they always agree, {run.chance:.3f} if they know nothing of each other.",
        ]
    else:
        found += [
            f"Alignment is {run.metric_label}: how alike two models measure how near things are to each other."
        ]
    found += [
        "Each layer of a model measures anew; the alignment of two models is that of their best pair of layers."
    ]
    if run.pairs.ci_low.notna().any():
        found += ["Brackets hold bootstrap intervals."]
    if untrained:
        found += [f"Random weights: {run.labels(untrained)}. What such a model reaches takes no learning."]
    return " ".join([*found, fitted] if fitted else found)


def scores(run):
    """The alignment of each vision model (row) with each language model (column), by labels; of one modality of each with each.

    Empty if there is none.
    """
    rows, columns = run.of("vision"), run.of("language")
    if not (rows and columns):
        rows = columns = rows or columns
    pairs = run.across if len(run.across) else run.pairs
    table = pairs.pivot(index="model_y", columns="model_x", values="score").round(3)
    table = table.reindex(index=rows, columns=columns) if len(table) else pd.DataFrame()
    if rows is columns:
        table = table.fillna(table.T)
    return table.rename(index=run.label, columns=run.label).rename_axis(index=None, columns="alignment of")
