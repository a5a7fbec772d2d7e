"""What the figures beside the main claim say: captions that say more, colours; see `prh.report.story.TOLD`."""

from prh.report.run import interval, many
from prh.report.sentences import NOTHING
from prh.sources.caption_levels import OWN, is_control

TRUE, FOUND = ["true_l", "true_a", "true_b"], ["l", "a", "b"]


def density(run, numbers):
    """Figure 9 of the paper: alignment as captions say more. numbers: rows of the means over trained vision models."""
    if numbers.empty:
        return NOTHING
    asked = ["Do words and pictures agree more when more of the picture is said?"]
    drawn = [
        "Left, to the right: how many words a caption has; upwards, alignment, the mean over the trained vision models, of the "
        f"same items at each level. Dotted: chance, {numbers.chance.iloc[0]:.3f}. Crosses are the control: what is said of another "
        "item.",
        OWN in set(numbers.level) and "Diamonds are the data set's own captions.",
        "Right: how much each level adds.",
    ]
    found = [_densest(run, model, rows) for model, rows in numbers.groupby("language", sort=False)]
    untrained = [model for model in numbers.language.unique() if not run.is_trained(model)]
    limits = untrained and (
        f"{run.labels(untrained)} has learned nothing: as far as it rises, it is the words that carry more, and no model that "
        "understands more."
    )
    return (
        asked,
        drawn,
        found,
        [limits, "Fewer items than in the main figure have a higher alignment by chance."],
    )


def _densest(run, model, rows):
    """How a language model's alignment rises from the level of fewest words to that of most, and falls in the control."""
    by_level = rows.set_index("level")
    levels = [name for name in rows.level if name != OWN and not is_control(name)]
    first, last = by_level.loc[levels[0]], by_level.loc[levels[-1]]
    clear = sum(by_level.step_low[level] > 0 for level in levels[1:])
    control = [f", {by_level.score[name]:.3f} in the control" for name in rows.level if is_control(name)]
    return (
        f"{run.label(model)}: {first.score:.3f}{interval(first)} with {first.words:.1f} words, {last.score:.3f}{interval(last)} with "
        f"{last.words:.1f}{''.join(control)}; {clear} of {many(len(levels) - 1, 'step')} clear of 0."
    )


def colours(run, numbers):
    """Figure 8 of the paper: the geometry of colours. numbers: the places that are drawn."""
    if numbers.empty:
        return NOTHING
    asked = ["Do colours lie where they look alike, by nothing but which of them go together?"]
    drawn = [
        "A panel for pixels, one for a text, one for each language model. Large: where a colour was found; small: where it lies in "
        "CIELAB, in which equal distances look alike. The shorter the lines, the more alike.",
    ]
    found = [
        f"{_space(run, space)}: {1 - _squares(mine, FOUND) / _squares(mine, None):.2f} of CIELAB is explained."
        for space, mine in numbers.groupby("space", sort=False)
    ]
    limits = [
        "A layout in three dimensions fits anything to some degree: each panel says what colours with names at random reach, and the "
        "table has it for larger sets of words, of which small models know less."
    ]
    return asked, drawn, found, limits


def _space(run, space):
    words = {"pixels": "Pixels of the pictures", "text": "Words of a dictionary"}
    return words.get(space) or (run.label(space) if space in run.models else space)


def _squares(places, columns):
    """Squared distances of the true places from those of `columns`, or from their mean."""
    true = places[TRUE].to_numpy()
    return ((true - (true.mean(axis=0) if columns is None else places[columns].to_numpy())) ** 2).sum()
