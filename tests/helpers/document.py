"""docs/artifacts.md, taken apart: its sections, the columns that they list, and their examples."""

import os
import re
import subprocess
import sys

from helpers.project import ROOT

DOCUMENT = (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", DOCUMENT, re.M | re.S))
# Those of artifacts that only the paper's scale has; tests/rehearsal looks at them.
# What not every run has: marked by how its section begins.
MARKS = ("Paper's scale only.", "Of families only.", "Of many items only")
OF_THE_PAPER = {title for title, body in SECTIONS.items() if body.lstrip().startswith(MARKS)}


def listed(title):
    """The names in the first column of a section's table."""
    return re.findall(r"^\| `([\w ]+)` \|", SECTIONS[title], re.M)


def examples(title):
    """The Python examples of a section."""
    return re.findall(r"```python\n(.*?)```", SECTIONS[title], re.S)


def run_examples(titles, folder, **names):
    """Run the examples of these sections in a run's folder, with other names in place of some."""
    code = "\n".join(text for title in titles for text in examples(title))
    for name, other in names.items():
        code = code.replace(name, other)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
