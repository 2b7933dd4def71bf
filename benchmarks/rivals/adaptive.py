"""Predictors that learn from the text they are measured on: compressors, dynamic evaluation.

All are primed with training text, and every character is charged before it is learned.
"""

from dataclasses import replace
from pathlib import Path

from benchmarks.quality import adaptive, load
from benchmarks.real_corpora import TrialError
from benchmarks.results.rival import PROGRAM, Primed, zpaq_bits
from benchmarks.rivals.cells import Figures, Key
from benchmarks.rivals.trained import OURS
from benchmarks.rivals.trained import PART as TRAINED
from corpora.corpus.parquet import read_documents
from evaluation.assess import limited
from evaluation.baselines.compressors import ppmd_bytes
from evaluation.spec import EvaluateSpec
from modeling.checkpoint import load_model

PART = "adaptive"
TEXT = "python-stdlib"
PPMD_ORDER = 16
ZPAQ, PPMD = f"{PROGRAM} -m5", f"PPMd {PPMD_ORDER}"
COMPRESSORS = (ZPAQ, PPMD)
ROWS = {
    "static": "the same network, which learns nothing from the held-out text",
    "ngram": "Kneser-Ney, which learns nothing either",
    "dynamic": "charmill, dynamic evaluation",
    "mixture": "charmill, dynamic evaluation and Kneser-Ney, half each",
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
    texts = load(corpus)
    held_out = limited(list(read_documents(corpus, "test")), spec.test_characters)
    test = texts.vocabulary.encode_documents([document.text for document in held_out])
    network, vocabulary, _ = load_model(model)
    assert vocabulary == texts.vocabulary, f"{model} is of another corpus"
    found = adaptive(replace(texts, test=test), network)
    size = sum(len(document.text) for document in held_out)
    return {name: getattr(found, name) for name in ROWS} | {"characters": size}


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
