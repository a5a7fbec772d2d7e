"""The panel: the vision models of figure 2, which are compared with each other by their last layers."""

from prh.errors import InputError

# How two models may be related, nearest first. Pairs of the first kind are drawn on the map only.
SAME_WEIGHTS, SAME_FAMILY, SAME_TRAINING, DIFFERENT = (
    "same weights",
    "same family",
    "same training",
    "different",
)


def check(config, models, datasets, source):
    """Raise `InputError` unless the config's `transfer` names vision models and data sets that there are, of enough images.

    models, datasets: rows of the tables by name; source: the config's own name.
    """
    transfer, tables = config["transfer"], config["tables"]
    wanted = [("images", transfer["images"], datasets, tables["datasets"])]
    wanted += [("tasks", name, datasets, tables["datasets"]) for name in transfer["tasks"]]
    wanted += [("models", name, models, tables["models"]) for name in transfer["models"]]
    for key, name, rows, table in wanted:
        if name not in rows:
            raise InputError(
                f"{source}: key `transfer.{key}`: `{name}` is not in {table}, which has: {', '.join(rows)}"
            )
    for name in transfer["models"]:
        if models[name].modality != "vision":
            raise InputError(f"{source}: key `transfer.models`: `{name}` is no vision model; leave it out")
    size = datasets[transfer["images"]].size
    shared = transfer["images"] in transfer["tasks"]
    if size and transfer["k"] > size // (1 + shared) - 2:
        where = (
            f"{source}: key `transfer.k`: {transfer['k']} neighbours need at least {transfer['k'] + 2} images"
        )
        half = ", half of them for alignment" if shared else ""
        raise InputError(f"{where}, but data set `{transfer['images']}` has {size}{half}")


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
