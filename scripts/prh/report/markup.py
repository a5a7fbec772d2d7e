"""Users' words in marked-up text, as they are: a label may have dollars, braces, angles, stars."""

import re


def as_markdown(text):
    """A text as Markdown shows it unchanged."""
    return re.sub(r"([\\`*_{}\[\]<>#$~|&])", r"\\\1", text)
