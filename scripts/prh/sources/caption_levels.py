"""Captions of one data set at several densities: what is said of each item, from little to much (Huh et al. 2024, figure 9).

A table of levels has a row per item and level, levels in order: `item`, its number in the data set; `level`, `words`, `caption`.
"""

import numpy as np
import pandas as pd

from prh.errors import InputError, damaged

COLUMNS = ["item", "level", "words", "caption"]
# Of a table of summaries: how many words were asked for, and came; what the summariser wrote.
SUMMARIES = ["item", "asked", "words", "summary", "tokens"]
OWN = "own caption"  # the level of the captions as the data set has them
CONTROL = "{}, of another item"


def level_name(count):
    """How a level of the name and so many keywords is called."""
    return f"name + {count} keywords" if count else "name"


def is_control(level):
    """Whether a level is the control."""
    return level.endswith(CONTROL.format(""))


def choose_items(pairs, count, seed):
    """Numbers of `count` of so many pairs, drawn by the seed, in order; all where count is None or not less."""
    if count is None or count >= pairs:
        return list(range(pairs))
    return sorted(np.random.default_rng(seed).choice(pairs, size=count, replace=False).tolist())


def keyword_levels(words, own, counts, items, seed):
    """The levels of items that have a name and keywords: each level's caption begins with the one before it.

    Parameters
    ----------
    words, own: of every item of the data set: (its name, its keywords in order), and its caption.
    counts: of each level, how many keywords follow the name at most; rising.
    items: numbers of the items taken.
    seed: of the control, in which the keywords of the fullest level come from another item.

    Returns the levels in order, then the control, then the data set's own captions.
    Raises `InputError` where the levels do not rise, or no keyword is added.

    """
    if list(counts) != sorted(set(counts)):
        raise InputError(f"levels {counts}: each must have more keywords than the one before")
    rows = []
    for count in counts:
        rows += [(i, level_name(count), _listed(*words[i], count)) for i in items]
    if not counts[-1]:
        raise InputError(f"levels {counts}: none has a keyword, so that nothing becomes denser")
    drawn = np.random.default_rng(seed).permutation(items)
    other = dict(zip(drawn.tolist(), np.roll(drawn, 1).tolist(), strict=True))  # in a ring: nobody's own
    control = CONTROL.format(level_name(counts[-1]))
    rows += [(i, control, _listed(words[i][0], words[other[i]][1], counts[-1])) for i in items]
    rows += [(i, OWN, own[i]) for i in items]
    return level_table(rows)


def summary_levels(summaries, seed):
    """The levels from summaries, a row per item and number of words asked for, fewest first; then the control.

    In the control an item has the fullest summary of another one.
    """
    counts = summaries.asked.drop_duplicates().tolist()
    rows = [(row.item, f"{row.asked} words", row.summary) for row in summaries.itertuples()]
    last = summaries[summaries.asked == counts[-1]].set_index("item").summary
    drawn = np.random.default_rng(seed).permutation(last.index)
    other = dict(zip(drawn.tolist(), np.roll(drawn, 1).tolist(), strict=True))
    rows += [(i, CONTROL.format(f"{counts[-1]} words"), last[other[i]]) for i in last.index]
    return level_table(rows)


def items_of(levels):
    """The items of a table of levels, which each level has in this order."""
    return levels[levels.level == levels.level.iloc[0]].item.tolist()


def level_table(rows):
    """The table of levels from (item, level, caption), in order."""
    table = pd.DataFrame(rows, columns=["item", "level", "caption"])
    return table.assign(words=table.caption.str.split().str.len())[COLUMNS]


def read_levels(path):
    """A table of levels. Raises `InputError` if it is damaged or something else."""
    try:
        table = pd.read_parquet(path)
        if list(table.columns) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(table.columns)}, not {', '.join(COLUMNS)}")
    except (OSError, ValueError) as error:
        raise damaged(path, error) from None
    return table


def distinct_captions(levels):
    """The captions that models run over for the levels, each once, in order; a data set's own have features already."""
    return sorted(set(levels[levels.level != OWN].caption))


def _listed(name, keywords, count):
    return ", ".join([name, *keywords[:count]])
