"""Progress of a fetch, from the progress lines that git prints, as GitPython parses them.

Imported only while fetching: GitPython runs `git version` when it is imported.
"""

import re
from typing import Any

from git import RemoteProgress

from system.progress import Progress

COUNTED = re.compile(r"(remote: )?[A-Za-z ]{1,40}: +\d{1,3}% \(\d{1,15}/\d{1,15}\)")
"""Only such lines are parsed: a server may send numbers of any length, which overflow a float."""
TRANSFER = re.compile(r"[\d.]{1,9} (bytes|[KMG]iB) \| [\d.]{1,9} (bytes|[KMG]iB)/s")
"""Only such a message is shown: a server may send anything, control characters included."""
PHASES = {
    RemoteProgress.COUNTING: "counting",
    RemoteProgress.COMPRESSING: "compressing",
    RemoteProgress.RECEIVING: "receiving",
    RemoteProgress.RESOLVING: "resolving deltas",
}


class FetchProgress(RemoteProgress):
    """Turns git's progress lines about one repository into `Progress`."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label
        self._parsed: list[Progress] = []
        self._handle = self.new_message_handler()

    def parse(self, line: str) -> list[Progress]:
        """The progress that a line reports; empty for any other line."""
        self._parsed = []
        if COUNTED.match(line):
            self._handle(line)
        return self._parsed

    def update(
        self, op_code: int, cur_count: Any, max_count: Any = None, message: str | None = ""
    ) -> None:
        """Called by GitPython for every line it understands."""
        phase = PHASES.get(op_code & self.OP_MASK, "")
        transfer = TRANSFER.fullmatch(message or "")
        words = filter(None, (phase, transfer and transfer[0]))
        self._parsed.append(
            Progress(
                done=int(cur_count),
                total=int(max_count) if max_count else None,
                unit="objects",
                note=": ".join(filter(None, (self._label, ", ".join(words)))),
            )
        )
