"""zpaq at its level 5, a strong general compressor, primed like the compressors of the report.

Its bits are what the held-out files add to an archive of the training text, as in
evaluation.baselines.compressors; like those, it learns from the held-out text as it reads it.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from corpora.corpus.parquet import read_documents
from corpora.document import Document
from evaluation.assess import limited
from evaluation.spec import EvaluateSpec

PROGRAM = "zpaq"
METHOD = (
    "x6,0w2c0,1010,255i1c256ci1,1,1,1,1,1,2ac0,2,0,255i1c0,3,0,0,255i1c0,4,0,0,0,255i1mm16ts19t0"
)
"""What `-m5` does with text in blocks of 64 MB. `-m5` itself has larger tables for longer files: by
a difference of two sizes, the held-out text would then seem to cost less than it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Primed:
    """Text to prime a compressor with, and the text that it is measured on.

    Attributes:
        characters: of the second.
    """

    before: bytes
    after: bytes
    characters: int

    @classmethod
    def of(cls, corpus: Path, spec: EvaluateSpec | None = None) -> Self:
        """Take what an evaluation takes from a corpus."""
        spec = spec or EvaluateSpec()
        train = limited(list(read_documents(corpus, "train")), spec.priming_characters)
        test = limited(list(read_documents(corpus, "test")), spec.test_characters)
        return cls(
            before=_joined(train),
            after=_joined(test),
            characters=sum(len(document.text) for document in test),
        )


def zpaq_bits(primed: Primed) -> float | None:
    """Bits per character; None without the program."""
    if shutil.which(PROGRAM) is None:
        return None
    added = _archived(primed.before + primed.after) - _archived(primed.before)
    return 8 * added / primed.characters


def _joined(documents: Sequence[Document]) -> bytes:
    return b"".join(b"\0" + one.text.encode("utf-8", "surrogatepass") for one in documents)


def _archived(data: bytes) -> int:
    """Bytes of an archive of one file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "text").write_bytes(data)
        command = [PROGRAM, "a", "archive.zpaq", "text", f"-m{METHOD}", "-t1"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return (folder / "archive.zpaq").stat().st_size
