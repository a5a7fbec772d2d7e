"""The tables of figure 2: scores on tasks, what each model solves, and how agreement goes with it. Their arithmetic: `competence`."""

import numpy as np
import pandas as pd

from prh.features.panel import DIFFERENT, SAME_WEIGHTS
from prh.performance.competence import convergence, solved, square, task_scores
from prh.tables import COMPETENCE, CONVERGENCE, TRANSFER

SHARE, MEAN = (
    "share solved",
    "mean score",
)  # the two measures: the paper's figure has the first, its text the second
# The pairs that are counted: all but those of the same weights; and of these those that have neither family nor training in common.
ALL, APART = "all pairs", "different families"


def score_tasks(predictions, models, share, resamples, permutations, confidence, seed):
    """The tables `TRANSFER` and `COMPETENCE` from what probes gave each item, the table `PREDICTIONS`.

    share: of the best model's score with which a task is solved. Nulls: labels permuted, the highest that the level of confidence
    leaves. Raises `InputError` for a task in which no model is above chance.
    """
    tail, rows, found = (1 - confidence) / 2, [], []
    for number, (task, mine) in enumerate(predictions.groupby("task", sort=False)):
        wide = mine.pivot(index="item", columns="model", values="predicted")[models]
        labels = mine.drop_duplicates("item").set_index("item").label.loc[wide.index]
        names = sorted({*labels})
        codes, predicted = (pd.Categorical(each, names).codes for each in (labels, wide.to_numpy().ravel()))
        predicted = predicted.reshape(wide.shape)
        rng = np.random.default_rng([seed, number])
        found.append(task_scores(codes, predicted, resamples, permutations, rng))
        score, again, null = found[-1]
        for i, model in enumerate(models):
            low, high = np.quantile(again[:, i], [tail, 1 - tail])
            chance = np.quantile(null[:, i], confidence)
            rows.append((task, model, len(wide), len(names), score[i], low, high, chance))
    scores, again, null = (
        np.stack(each, axis=-2) for each in zip(*found, strict=True)
    )  # (..., tasks, models)
    tasks = list(dict.fromkeys(predictions.task))
    done = solved(scores, share, tasks)
    table = pd.DataFrame(rows, columns=TRANSFER[:8])
    table["of_best"], table["solved"] = (scores / scores.max(axis=1, keepdims=True)).ravel(), done.ravel()
    # By chance: one model's labels are permuted, the best model keeps its score.
    by_chance = null.clip(min=0) >= share * scores.max(axis=1)[:, None]
    columns = {"model": models, "tasks": len(tasks), "solved": done.sum(axis=0), "share": done.mean(axis=0)}
    shares = solved(again, share).mean(axis=1)
    columns["share_low"], columns["share_high"] = np.quantile(shares, [tail, 1 - tail], axis=0)
    columns["share_null"] = np.quantile(by_chance.mean(axis=1), confidence, axis=0)
    columns["mean_score"] = scores.mean(axis=0)
    columns["mean_low"], columns["mean_high"] = np.quantile(again.mean(axis=1), [tail, 1 - tail], axis=0)
    columns["mean_null"] = np.quantile(null.mean(axis=1), confidence, axis=0)
    return table, pd.DataFrame(columns)[COMPETENCE]


def relate(pairs, competence, bins, resamples, confidence, seed):
    """The table `CONVERGENCE`: agreement within bins of competence, and its correlation with it, of all pairs and of those apart.

    pairs: columns model_x, model_y, relation, score. Bins of the share solved have equal widths from 0 to 1, those of the mean
    score from the lowest model's to the highest's.
    """
    models = competence.model.tolist()
    score, relation = square(pairs, models), square(pairs, models, "relation")
    counted = {ALL: relation.notna() & (relation != SAME_WEIGHTS), APART: relation == DIFFERENT}
    rows = []
    for measure, column, ends in ((SHARE, "share", (0, 1)), (MEAN, "mean_score", None)):
        values = competence[column].to_numpy()
        edges = np.linspace(*(ends or (values.min(), values.max())), bins + 1)
        for of, which in counted.items():
            rng = np.random.default_rng(seed)
            found = convergence(score.to_numpy(), which.to_numpy(), values, edges, resamples, confidence, rng)
            rows += [{"competence": measure, "of": of, **row} for row in found]
    return pd.DataFrame(rows).reindex(columns=CONVERGENCE)
