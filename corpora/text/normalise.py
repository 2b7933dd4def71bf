"""Changes to a text before a model sees it, each off by default, each recorded.

They reduce the alphabet, as early character models needed: letters without accents, one mark for
upper case instead of 26 letters, blanks instead of tabs. Only the mark is reversible.
"""

import re
import unicodedata
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def _mark(text: str) -> str:
    if len(text) != 1 or not text.isprintable() or text == " ":
        raise ValueError(f"{text!r} is not one printable character")
    if text.isalnum() or text.lower() != text.upper():
        raise ValueError(f"{text!r} is a letter or digit; a mark must be neither")
    return text


class Normalisation(BaseModel):
    """Which changes are made, in this order.

    Attributes:
        ascii: transliterate characters outside ASCII.
        tab_width: columns between tab stops; None keeps tabs.
        uppercase_mark: the character put before a lower-case letter that was upper case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ascii: bool = False
    tab_width: int | None = Field(default=None, ge=1, le=16)
    uppercase_mark: Annotated[str, AfterValidator(_mark)] | None = None

    def apply(self, text: str) -> str:
        """Make the changes; returns `text` itself if none is switched on."""
        if self.ascii:
            text = transliterate(text)
        if self.tab_width is not None:
            text = text.expandtabs(self.tab_width)
        if self.uppercase_mark is not None:
            text = mark_uppercase(text, self.uppercase_mark)
        return text

    def describe(self) -> tuple[str, ...]:
        """One line for each change, with what it loses; empty if there is none."""
        lines = []
        if self.ascii:
            lines.append(f"written in ASCII by anyascii {version('anyascii')}: cannot be undone")
        if self.tab_width is not None:
            lines.append(f"tabs as blanks to every {self.tab_width} columns: cannot be undone")
        if self.uppercase_mark is not None:
            lines.append(f"upper case as {self.uppercase_mark!r} and lower case: can be undone")
        return tuple(lines)


def transliterate(text: str) -> str:
    """Write `text` in ASCII; a character that has no equivalent becomes "?"."""
    return text if text.isascii() else NOT_ASCII.sub(_ascii, text)


def mark_uppercase(text: str, mark: str) -> str:
    """Write every upper-case letter as `mark` and its lower case; `unmark_uppercase` undoes it.

    A mark that occurs in `text` is doubled. A letter whose lower case does not map back to it (such
    as the Kelvin sign's "k") is unchanged.
    """
    marked = _marks(mark)
    return re.sub(
        rf"[A-Z\u0080-\U0010ffff{re.escape(mark)}]",
        lambda found: marked.get(found.group(), found.group()),
        text,
    )


def unmark_uppercase(text: str, mark: str) -> str:
    """Undo `mark_uppercase`; a mark before anything else, as a model may write, is unchanged."""
    unmarked = _unmarks(mark)
    return re.sub(
        re.escape(mark) + ".",
        lambda found: unmarked.get(found.group(), found.group()),
        text,
        flags=re.DOTALL,
    )


def _ascii(found: re.Match[str]) -> str:
    return "".join(map(_ascii_character, found.group()))


@lru_cache(maxsize=4096)
def _ascii_character(character: str) -> str:
    from anyascii import anyascii

    silent = unicodedata.category(character) in {"Mn", "Me", "Cf"}
    return anyascii(character) or ("" if silent else "?")


@cache
def _marks(mark: str) -> dict[str, str]:
    return {mark: mark * 2} | {letter: mark + letter.lower() for letter in _reversible_letters()}


@cache
def _unmarks(mark: str) -> dict[str, str]:
    return {marked: letter for letter, marked in _marks(mark).items()}


@cache
def _reversible_letters() -> tuple[str, ...]:
    """The upper-case letters whose lower case is one letter that maps back to them."""
    upper = [letter for letter in map(chr, range(0x110000)) if letter.isupper()]
    return tuple(
        letter
        for letter in upper
        if len(letter.lower()) == 1
        and letter.lower() != letter
        and letter.lower().upper() == letter
    )
