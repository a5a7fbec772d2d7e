"""What figure 2 says, vision models with each other, in plain sentences with this run's numbers; see `prh.report.story.TOLD`."""

from prh.features.panel import DIFFERENT
from prh.performance.transfer import ALL, APART, SHARE
from prh.report.run import interval, many


def convergence(_run, numbers):
    """Agreement over competence."""
    table = numbers[numbers.competence == SHARE].set_index(["quantity", "of"])
    bins, pairs = table.loc[["mean alignment"]], numbers[numbers.quantity == "pair"]
    ends = [_end(bins, of) for of in (ALL, APART)]
    trends = [table.loc[("Spearman", of)].squeeze() for of in (ALL, APART)]
    drawn = [
        "To the right, what a model is good for: the share of tasks that a linear probe of its last layer solves, and its mean score.",
        f"Upwards, the alignment of {many(int(trends[0].models), 'vision model')} with each other, in means of bins, and pair by pair.",
        "Bars: models drawn anew. Boxes: what permuted competences give. Squares: pairs of different families and training.",
        f"Dotted: chance, {pairs.chance.iloc[0]:.3f}.",
    ]
    found = [
        *ends,
        f"Over all {trends[0].pairs:.0f} pairs the correlation of alignment with the weaker model's share is {_trend(trends[0])};",
        f"over the {trends[1].pairs:.0f} of different families {_trend(trends[1])}.",
    ]
    return ["Do vision models that solve more agree more?"], drawn, found, [_carried(bins, pairs), _few(bins)]


def _end(bins, of):
    """The lowest and the highest bin that have pairs."""
    mine = bins.xs(of, level="of").dropna(subset="value")
    if len(mine) < 2:
        return None
    low, high = mine.iloc[0], mine.iloc[-1]
    named = "All pairs" if of == ALL else "Pairs of different families"
    return (
        f"{named}: models that solve {low.low:.0%} to {low.high:.0%} of the tasks agree by {low.value:.3f}{interval(low)}, those that "
        f"solve {high.low:.0%} to {high.high:.0%} by {high.value:.3f}{interval(high)}."
    )


def _trend(row):
    if row.value != row.value:
        return "not defined: all solve as many, or there are too few"
    return f"{row.value:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f}), p = {row.p_value:.2g}"


def _carried(bins, pairs):
    """Who carries the highest bin: pairs that are related, and what the others have in common."""
    top = bins.xs(ALL, level="of").dropna(subset="value").iloc[-1]
    inside = pairs[pairs.lower_share >= top.low]
    apart = inside.relation == DIFFERENT
    if apart.all():
        return None
    said = f"Of the {len(inside)} pairs in the highest bin {(~apart).sum()} have family or training in common; their mean is "
    said += f"{inside.value[~apart].mean():.3f}"
    if apart.any():
        said += f", that of the others {inside.value[apart].mean():.3f}"
    others = inside[apart]
    both = [{x, y} for x, y in zip(others.model_x, others.model_y, strict=True)]
    if len(both) > 1 and (shared := set.intersection(*both)):
        said += f". These all have one model in them, {min(shared)}: their interval is too narrow"
    return said + "."


def _few(bins):
    few = bins.xs(ALL, level="of").models
    return f"The bins have {', '.join(f'{count:.0f}' for count in few)} models; the paper has 78 in all, which are not public."


def places(_run, numbers):
    """The map."""
    first = numbers.iloc[0]
    drawn = [
        "Each mark is a vision model, near those that it agrees with; brighter: it solves more tasks. Directions mean nothing.",
    ]
    found = [
        f"Distances on the map follow -log(alignment) with a rank correlation of {first.agreement:.2f}; permuted ones, placed anew, "
        f"with up to {first.agreement_null:.2f}."
    ]
    centre = numbers[["x", "y"]].mean()
    away = ((numbers[["x", "y"]] - centre) ** 2).sum(axis=1) ** 0.5
    strong = numbers.share >= numbers.share.median()
    found += (
        [
            f"Models that solve more than half of the others lie {away[strong].mean():.2f} from the middle on average, the rest "
            f"{away[~strong].mean():.2f}."
        ]
        if strong.any() and not strong.all()
        else []
    )
    limits = [
        "Two dimensions do not hold all distances.",
        "Some models share data, labels or weights, and lie together for that.",
    ]
    return ["Are strong models alike, and weak ones each in its own way?"], drawn, found, limits
