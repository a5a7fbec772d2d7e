"""What the figures on layers say: what they are like, at which distances they agree, neighbours and distances; see `story.TOLD`."""

from prh.report.run import interval, many


def described(run, numbers):
    """What layers are like. numbers: rows of the table LAYERS."""
    asked = ["Which layers can be compared at all?"]
    drawn = [
        "Left to right within a panel: a model's layers from first to last. Mean cosine of all pairs of items, effective dimension, and the "
        "share of values that the clamp cuts."
    ]
    cone, flat = numbers.loc[numbers.mean_cosine.idxmax()], numbers.loc[numbers.dimension.idxmin()]
    most = numbers.loc[numbers.clamped.idxmax()]
    found = [
        f"The narrowest cone is {_layer(run, cone)}: a mean cosine of {cone.mean_cosine:.3f}.",
        f"The fewest directions carry {_layer(run, flat)}: {flat.dimension:.1f} of {flat.width:.0f}.",
        f"Most is clamped of {_layer(run, most)}: {most.clamped:.0%}.",
    ]
    return asked, drawn, found, ["A layer that is hard to compare is no layer that knows nothing."]


def _layer(run, row):
    return f"layer {row.layer:.0f} of {run.label(row.model)}"


def windows(run, numbers):
    """At which distances models agree. numbers: rows of the table WINDOWS."""
    asked = ["Do two models agree on what is near, or on what is far?"]
    drawn = [
        "To the right: pairs of items from the nearest to the farthest. Upwards: how alike two models order those within a window."
    ]
    found = []
    for (x, y), rows in numbers.groupby(["model_x", "model_y"], sort=False):
        first, last = rows.iloc[0], rows.iloc[-1]
        found.append(
            f"{run.label(x)} with {run.label(y)}: {first.score:.3f}{interval(first)} among the nearest {first.high:.0%}, "
            f"{last.score:.3f}{interval(last)} among the farthest {1 - last.low:.0%}."
        )
    return asked, drawn, found, ["The layers are those that agree most on neighbours, and so on near pairs."]


def neighbours(run, numbers):
    """Neighbours and distances. numbers: rows of the table of alignments, two metrics at one k."""
    asked = ["Where models agree on neighbours, do they agree on distances?"]
    drawn = ["Left, agreement on neighbours; right, on the similarities among them. Flat marks: the null."]
    ratios = {metric: (rows.score / rows.null_mean).median() for metric, rows in numbers.groupby("metric")}
    found = [
        f"In the middle of {many(len(numbers) // 2, 'pair')} agreement on neighbours is {ratios['mutual_knn']:.1f} times its null, that with "
        f"distances {ratios['cknna']:.1f} times."
    ]
    return (
        asked,
        drawn,
        found,
        ["The second counts shared neighbours too; the follow-up's own definition was not found."],
    )
