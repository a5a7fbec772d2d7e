"""The pages of the project, taken apart: their commands, and their fenced blocks."""

import re
from typing import NamedTuple

from helpers.project import ROOT

PAGES = ["README.md", "figures/README.md", "docs/running.md", "config/README.md"]
PAGES += sorted({path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md")} - {*PAGES})
PAGES += ["CONTRIBUTING.md", "results/README.md"]
MARK = "not run here"


class Command(NamedTuple):
    """A line of an indented block, and whether a test runs it."""

    page: str
    line: str
    is_run: bool

    @property
    def bare(self):
        """Without what is said of it."""
        return self.line.partition(" #")[0].strip()


def commands(page):
    """The commands that a page shows, in order. A block is marked in the last line before it, a command in its own comment."""
    found, before, fenced = [], "", False
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        is_command = line.startswith("    ") and not fenced and not before.startswith(("- ", "  "))
        if is_command:
            found.append(Command(page, line.strip(), MARK not in line and MARK not in before))
        elif line.strip():
            before = line
    return found


def fences(page, language):
    """The texts of a page's fenced blocks in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
