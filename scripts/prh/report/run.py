"""What a run found on one data set, and how its names and numbers are put into words."""

from dataclasses import dataclass

import pandas as pd

from prh.alignment.best import across, named
from prh.alignment.catalogue import METRICS, parse_metric


@dataclass(frozen=True)
class Run:
    """What a run found on one data set by its main metric.

    data, text: labels of the pairs, and of what bits per byte are of. metric: METRIC@K. models: by name label, modality,
    init, and where they are known family, parameters, layers. pairs, correlation: rows of the tables. across: the
    language-vision pairs, with bits_per_byte.
    """

    data: str
    text: str
    metric: str
    models: dict
    pairs: pd.DataFrame
    across: pd.DataFrame
    correlation: pd.DataFrame

    @property
    def k(self):
        """The metric's number of neighbours, None if it has none."""
        return parse_metric(self.metric)[1]

    @property
    def metric_label(self):
        """The metric in words."""
        return METRICS[parse_metric(self.metric)[0]].label + (f", k = {self.k}" if self.k else "")

    @property
    def chance(self):
        """What unrelated features give, k / (n - 1); None where the metric has no such value."""
        known = self.pairs.chance.dropna()
        return known.iloc[0] if len(known) else None

    @property
    def size(self):
        """The number n of pairs of a picture and a caption, None where chance does not tell it."""
        return round(self.k / self.chance) + 1 if self.chance else None

    def label(self, model):
        """A model's name in words."""
        return self.models[model]["label"]

    def labels(self, models):
        """Names in words, as a list within a sentence."""
        return listed([self.label(model) for model in models])

    def layer(self, model, layer):
        """A layer in words; layers count from 0."""
        count = self.models[model].get("layers")
        if layer == count:
            return "all layers together"
        return f"layer {layer}" + (f" of {count - 1}" if count else "")

    def is_trained(self, model):
        """Whether its weights are not random."""
        return self.models[model]["init"] != "random"

    def trained(self, table):
        """The rows of a table in which both models are trained."""
        return table[
            table.model_x.map(self.is_trained).astype(bool) & table.model_y.map(self.is_trained).astype(bool)
        ]

    def of(self, modality, trained=None):
        """Names of the models of a modality that were compared; optionally only those trained, or those not."""
        compared = {*self.pairs.model_x, *self.pairs.model_y}
        found = [m for m, facts in self.models.items() if facts["modality"] == modality and m in compared]
        return [m for m in found if trained in (None, self.is_trained(m))]

    def twin(self, model):
        """The same model with random weights, None if the run has none."""
        facts, alike = self.models[model], ("modality", "family", "parameters")
        others = self.of(facts["modality"], trained=False)
        return next((m for m in others if all(self.models[m].get(a) == facts.get(a) for a in alike)), None)


def run_of(dataset, data, text, metric, models, alignment, performance, correlation):
    """The `Run` of a data set, out of the final tables."""
    tables = named(alignment, dataset), across(alignment, dataset, performance), named(correlation, dataset)
    return Run(data, text, metric, models, *(table[table.name == metric] for table in tables))


def listed(words):
    """Words as a list within a sentence."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def many(count, noun):
    """A count with its noun."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def span(values, form=".2f"):
    """From the least to the largest of some values."""
    low, high = f"{min(values):{form}}", f"{max(values):{form}}"
    return low if low == high else f"{low} to {high}"


def interval(row, form=".3f"):
    """The interval of a table's row in brackets, nothing where there is none."""
    return "" if pd.isna(row.ci_low) else f" [{row.ci_low:{form}}, {row.ci_high:{form}}]"
