"""Users' words in marked-up text, shown as they are."""

import html
import re

import pytest
from nbconvert.filters import markdown2html

from prh.report.markup import as_markdown

WORDS = (
    "Ba$$in",
    r"cost $\alph$",
    "R$^{2}$ study",
    "a_b_ {English} <b>100 %</b> & *x*",
    "`a` |b| [c](d) __e__ ~f~ # g",
    "中文 x_",
)


def shown(page):
    return html.unescape(re.sub(r"<[^>]*>", "", page)).strip()


@pytest.mark.parametrize("text", WORDS)
def test_in_markdown(text):
    assert shown(markdown2html(f"**Shown.** {as_markdown(text)}")).rstrip("¶") == f"Shown. {text}"
