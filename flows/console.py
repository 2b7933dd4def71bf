"""The consoles of the command line: results on stdout, everything else on stderr.

Whatever they print is cleaned: no control characters, no secrets of URLs, no endless lines.
"""

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from system.display import clean


class CleanConsole(Console):
    """A console that cleans every text, whatever table or progress bar it is in."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Clean all segments that are not rich's own control sequences."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=clean(segment.text))


# Without emoji: a file may be called "a:warning:b".
out = CleanConsole(highlight=False, soft_wrap=True, emoji=False)
err = CleanConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def print_json(data: Any) -> None:
    """Print data for other programs, complete and in ASCII: JSON has its own escapes."""
    sys.stdout.write(json.dumps(data, indent=2) + "\n")
