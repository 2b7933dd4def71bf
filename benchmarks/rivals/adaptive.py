"""Predictors that learn from the text they are measured on: compressors, dynamic evaluation.

All are primed with training text, and every character is charged before it is learned.
"""

from dataclasses import replace
from pathlib import Path

from benchmarks.real_corpora import TrialError
from benchmarks.results.rival import PROGRAM, Primed, zpaq_bits
from benchmarks.rivals.cells import Figures, Key
from benchmarks.rivals.trained import OURS
from benchmarks.rivals.trained import PART as TRAINED
from corpora.corpus.parquet import read_documents
from corpora.document import Split
from evaluation.assess import limited
from evaluation.baselines.adapting_model import adapting_rows
from evaluation.baselines.compressors import ppmd_bytes
from evaluation.baselines.ladder import HeldOut
from evaluation.spec import EvaluateSpec
from flows.progress import LogReporter, driven
from modeling.checkpoint import load_model
from modeling.inference.likelihood import bits_of_documents
from modeling.vocab import Ids

PART = "adaptive"
TEXT = "python-stdlib"
PPMD_ORDER = 16
ZPAQ, PPMD = f"{PROGRAM} -m5", f"PPMd {PPMD_ORDER}"
COMPRESSORS = (ZPAQ, PPMD)
ROWS = {
    "static": "the same network, which learns nothing from the held-out text",
    "dynamic": "charmill, dynamic evaluation",
    "mixture": "charmill, dynamic evaluation and context mixing",
}
"""Figures of a model of ours, in words."""


def compressed(program: str, corpus: Path, spec: EvaluateSpec | None = None) -> Figures:
    """Bits per held-out character of one of COMPRESSORS, and how many characters there are.

    Raises:
        TrialError: if it is not installed.
    """
    primed = Primed.of(corpus, spec)
    if program == ZPAQ:
        bits = zpaq_bits(primed)
        if bits is None:
            raise TrialError(f"{PROGRAM} is not installed")
        return {"bits": bits, "characters": primed.characters}
    size = ppmd_bytes(PPMD_ORDER, primed.before, primed.after)
    return {"bits": 8 * size / primed.characters, "characters": primed.characters}


def adapted(corpus: Path, model: Path, spec: EvaluateSpec | None = None) -> Figures:
    """The same of a model of ours, bits by the names in ROWS."""
    spec = spec or EvaluateSpec()
    network, vocabulary, _ = load_model(model)

    def ids(split: Split, characters: int | None = None) -> list[Ids]:
        documents = list(read_documents(corpus, split))
        kept = documents if characters is None else limited(documents, characters)
        return vocabulary.encode_documents([document.text for document in kept])

    test = limited(list(read_documents(corpus, "test")), spec.test_characters)
    held_out = HeldOut.of([document.text for document in test], vocabulary)
    scoring = adapting_rows(
        OURS,
        network,
        vocabulary,
        priming=ids("train", spec.priming_characters),
        validation=ids("validation"),
        held_out=held_out,
        span=(0, 1),
    )
    static = bits_of_documents(network, vocabulary, held_out.ids)
    found = [held_out.row(OURS, "model", static), *driven(scoring, LogReporter(), PART, TEXT)]
    bits = dict(zip(ROWS, (row.bits_per_char for row in found), strict=True))
    return bits | {"characters": int(held_out.characters.sum())}


def in_order(seconds: float, seeds: int, held_out: int) -> list[Key]:
    """The cells; those of compressors first, and a training before what needs its model.

    Args:
        seconds, held_out: of the training.
    """
    keys = [Key(part=PART, rival=name, text=TEXT) for name in COMPRESSORS]
    for seed in range(seeds):
        ours = Key(
            part=PART, rival=OURS, text=TEXT, seconds=seconds, seed=seed, characters=held_out
        )
        keys += [trained_before(ours), ours]
    return keys


def trained_before(key: Key) -> Key:
    """The training that a cell of ours needs."""
    return replace(key, part=TRAINED)
