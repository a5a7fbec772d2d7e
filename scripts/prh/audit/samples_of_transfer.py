"""Samples of figure 2, made again in plain numpy: labels of some images, one probe of one part, agreement of some pairs."""

import numpy as np
import pandas as pd

from prh.audit.definitions import Prepared, ranked, score
from prh.audit.samples_of_models import ITEMS
from prh.audit.ways import NotHere
from prh.features.layers import read_features
from prh.performance.tasks import halves
from prh.sources.datasets import read_captions
from prh.sources.images import read_image
from prh.sources.labels import look, read_categories, read_names, said
from prh.tables import PREDICTIONS, read_parts, read_table

TIES = 0.01  # of a part's items may be given another class, where two classes' values differ by rounding only


def labels(run, artifact, rng):
    """The labels of some drawings; measures that are cut into thirds are not compared."""
    inputs = {run.kind(source): run.path(source) for source in run.inputs(artifact)}
    wheels = [run.path(source) for source in sorted(run.inputs(artifact)) if run.kind(source) == "package"]
    if not wheels:
        raise NotHere("not made again: they are the captions, which is checked")
    table, pairs = pd.read_parquet(run.path(artifact)), read_captions(inputs["dataset"])
    chosen = sorted(rng.choice(len(table), size=min(ITEMS, len(table)), replace=False).tolist())
    written, reasons = said(pairs.id[chosen], read_names(wheels[0]), read_categories(wheels[1])), []
    for place, item in enumerate(chosen):
        found = look(np.asarray(read_image(inputs["dataset"] / pairs.image[item])))
        found |= {task: values[place] for task, values in written.items()}
        for task, value in found.items():
            kept = table[task][item]
            if isinstance(value, str) and kept != value:
                reasons.append(f"{task} of item {item} is {kept}, made again {value}")
    return reasons[:3], f"labels of items {', '.join(map(str, chosen))} made again"


def probes(run, artifact, rng):
    """One part of the items, under one model, in all tasks: ridge regression by its normal equations, under the penalties kept."""
    table, params = read_parts([run.path(artifact)], PREDICTIONS), run.params(artifact)
    model = params["models"][int(rng.integers(len(params["models"])))]
    part = int(rng.choice(table.part.unique()))
    (source,) = [name for name in run.inputs(artifact) if name.endswith(f"/{model}.safetensors")]
    features = read_features(run.path(source))[0][-1].double().numpy()
    wrong, reasons = 0, []
    for task, mine in table[table.model == model].groupby("task", sort=False):
        held = (mine.part == part).to_numpy()
        x = features[mine.item]
        spread = x[~held].std(axis=0)
        x = (x - x[~held].mean(axis=0)) / np.where(spread > 0, spread, 1)
        names = np.array(sorted(set(mine.label[~held])))
        wanted = (mine.label.to_numpy()[~held, None] == names).astype(float)
        prior, penalty = wanted.mean(axis=0), mine.penalty[held].iloc[0] * x.shape[1]
        # (X'X + pI)^-1 X'y = X'(XX' + pI)^-1 y
        inverse = np.linalg.solve(x[~held] @ x[~held].T + penalty * np.eye((~held).sum()), wanted - prior)
        values = (prior + x[held] @ (x[~held].T @ inverse)) / prior
        differ = (names[values.argmax(axis=1)] != mine.predicted.to_numpy()[held]).sum()
        wrong += differ
        if differ > TIES * held.sum():
            reasons.append(
                f"{model}, task {task}, part {part}: {differ} of {held.sum()} items are given other classes"
            )
    return reasons[:3], f"part {part} of {model} predicted again in all tasks: {wrong} items differ"


def pairs(run, artifact, rng):
    """The agreement of some pairs of models."""
    table, params = read_table(run.path(artifact)), run.params(artifact)
    reasons = []
    for row in table.iloc[
        sorted(rng.choice(len(table), size=min(ITEMS, len(table)), replace=False))
    ].itertuples():
        ids = []
        for model in (row.model_x, row.model_y):
            path = run.path(f"results/features/{params['dataset']}/{model}.safetensors")
            last = read_features(path)[0][-1].numpy()
            if params["shared"]:
                last = last[halves(len(last), params["seed"])[0]]
            ids.append(ranked(Prepared([last], params["clamp"], False)[0], params["k"]))
        again = score("mutual_knn", params["k"], None, None, *ids)
        if abs(again - row.score) > 2 / ids[0].size:  # of neighbours, two may be as near as others
            reasons.append(f"score of {row.model_x}, {row.model_y} is {row.score}, made again {again}")
    return reasons, f"{min(ITEMS, len(table))} pairs made again"
