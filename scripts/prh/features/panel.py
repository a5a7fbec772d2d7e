"""The panel: the vision models of figure 2, which are compared with each other by their last layers."""

# How two models may be related, nearest first. Pairs of the first kind are drawn on the map only.
SAME_WEIGHTS, SAME_FAMILY, SAME_TRAINING, DIFFERENT = (
    "same weights",
    "same family",
    "same training",
    "different",
)


def facts_of(row):
    """What tells how a model, by its row, is related to others and what is drawn of it: a mapping."""
    of_weights = row.repo or (row.init == "pretrained" and row.weights and f"{row.packages} {row.weights}")
    training = "none" if row.init == "random" else row.training or row.family
    return {
        "label": row.label,
        "family": row.family,
        "init": row.init,
        "training": training,
        "weights": of_weights or row.name,
    }


def relation(a, b):
    """How two models are related, by their `facts_of`: one of the four kinds above."""
    if a["weights"] == b["weights"]:
        return SAME_WEIGHTS
    if a["family"] == b["family"]:
        return SAME_FAMILY
    return SAME_TRAINING if a["training"] == b["training"] != "none" else DIFFERENT
