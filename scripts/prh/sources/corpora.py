"""Texts on which bits per byte are measured, as their sources wrote them."""

from pathlib import Path

from prh.errors import InputError


def read_text(path):
    """A corpus. Raises `InputError` if it is not UTF-8, or has no text in it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start}); remove it to have it made again") from None
    if not text.strip():
        raise InputError(f"{path}: no text in it; remove it to have it made again")
    return text
