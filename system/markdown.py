"""Text from outside as Markdown that shows it, and is neither markup, HTML nor a new block."""

import re
from html import escape

from system.display import shown

_MEANING = re.compile(r"([\\`*_\[\]|~#!])")
_BLOCK = re.compile(r"([-+=]+|\d+(?=[.)]))(?=[.)]?(\s|$))")


def markdown(text: str) -> str:
    """Escape text for Markdown, as one line; it may be a table cell, a heading or a paragraph."""
    line = _MEANING.sub(r"\\\1", shown(text))
    block = _BLOCK.match(line)
    if block:
        # A list, a rule or an underlined heading begins so.
        marker = block[1]
        line = f"{marker}\\{line[len(marker) :]}" if marker.isdigit() else f"\\{line}"
    return escape(line, quote=False)
