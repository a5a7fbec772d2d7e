import pandas as pd
import pytest

from prh.errors import InputError
from prh.sources.caption_levels import (
    OWN,
    SUMMARIES,
    choose_items,
    distinct_captions,
    is_control,
    items_of,
    keyword_levels,
    read_levels,
    summary_levels,
)

WORDS = [("cat", ["animal", "pet", "tail"]), ("dog", ["bone"]), ("sun", []), ("red car", ["drive", "wheels"])]
SENTENCES = pd.Series(["A cat.", "A dog.", "The sun.", "A red car."])


def levels(counts=(0, 1, 2), items=(0, 1, 2, 3)):
    return keyword_levels(WORDS, SENTENCES, list(counts), list(items), seed=0)


def captions(table, level):
    return table[table.level == level].caption.tolist()


def test_each_level_begins_with_the_one_before():
    table = levels()
    assert captions(table, "name") == ["cat", "dog", "sun", "red car"]
    assert captions(table, "name + 1 keywords") == ["cat, animal", "dog, bone", "sun", "red car, drive"]
    assert captions(table, "name + 2 keywords") == [
        "cat, animal, pet",
        "dog, bone",
        "sun",
        "red car, drive, wheels",
    ]
    assert captions(table, OWN) == SENTENCES.tolist()
    assert table[table.level == "name"].words.tolist() == [1, 1, 1, 2]
    means = table.groupby("level", sort=False).words.mean().tolist()[:3]
    assert means == sorted(means)


def test_the_control_has_the_keywords_of_another_item():
    table = levels()
    (control,) = [level for level in table.level.unique() if is_control(level)]
    found = captions(table, control)
    assert [text.split(",")[0] for text in found] == [name for name, _ in WORDS]
    added = [text.split(", ")[1:] for text in found]
    own = [keywords[:2] for _, keywords in WORDS]
    assert sorted(added) == sorted(own)  # each item's keywords once ...
    assert all(a != b for a, b in zip(added, own, strict=True))  # ... none at its own


def test_chosen_items_only():
    table = levels(items=(1, 3))
    assert table.groupby("level").item.apply(list).map(tuple).unique().tolist() == [(1, 3)]
    assert captions(table, OWN) == ["A dog.", "A red car."]
    assert choose_items(4, None, 0) == choose_items(4, 9, 0) == [0, 1, 2, 3]
    assert choose_items(100, 10, 1) == sorted(set(choose_items(100, 10, 1))) != choose_items(100, 10, 2)


def test_models_run_over_each_caption_once():
    assert distinct_captions(levels(counts=(0, 1))).count("sun") == 1
    assert not {*SENTENCES} & {*distinct_captions(levels())}


@pytest.mark.parametrize("counts", [(2, 1), (1, 1), (0, 0)])
def test_levels_that_do_not_rise(counts):
    with pytest.raises(InputError, match="each must have more keywords"):
        levels(counts)


def test_a_damaged_table(tmp_path):
    levels().drop(columns="words").to_parquet(tmp_path / "captions.parquet")
    with pytest.raises(InputError, match=r"captions\.parquet: cannot be read"):
        read_levels(tmp_path / "captions.parquet")


def test_levels_of_summaries():
    rows = [(item, n, n, " ".join([f"w{item}"] * n), [item]) for n in (2, 3) for item in (4, 1, 7)]
    table = summary_levels(pd.DataFrame(rows, columns=SUMMARIES), seed=0)
    assert table.level.drop_duplicates().tolist() == ["2 words", "3 words", "3 words, of another item"]
    assert items_of(table) == [4, 1, 7]
    assert captions(table, "2 words") == ["w4 w4", "w1 w1", "w7 w7"]
    other = captions(table, "3 words, of another item")
    assert sorted(other) == sorted(captions(table, "3 words"))
    assert all(a != b for a, b in zip(other, captions(table, "3 words"), strict=True))
    assert table.words.tolist() == [2] * 3 + [3] * 6
