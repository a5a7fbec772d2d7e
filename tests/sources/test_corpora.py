"""Texts on which bits per byte are measured: passages of what packages carry."""

import pytest

from prh.errors import InputError
from prh.sources.passage import longest_string, passage


def test_passage_ends_with_a_sentence():
    assert passage("One two. Three four five. Six.", 0, 10) == "One two. Three four five."
    assert passage("One two. Three four. Five.", 9, 3) == "Three four."
    with pytest.raises(InputError, match="are asked for"):
        passage("Short.", 0, 100)


def test_the_longest_string_of_a_source_is_not_run():
    assert longest_string("import nothing\nx = f('a', 'abc', ['ab'])\nraise SystemExit") == "abc"
