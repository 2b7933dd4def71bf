"""From a trained model, its samples and its corpus to findings: all of the judging, in order.

A generator: it yields (fraction done, what it is doing) and returns the findings.
"""

import platform
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from corpora.document import Document
from evaluation.baselines.compressors import compressor_rows
from evaluation.baselines.ladder import Bits, HeldOut, baseline_rows
from evaluation.baselines.ngram import NgramCounts
from evaluation.evidence import DocumentBits, Evidence
from evaluation.languages import LANGUAGES
from evaluation.metrics.groups import Judged, judge, windows
from evaluation.metrics.originality import CopyIndex, fewest
from evaluation.metrics.temperature import recommended
from evaluation.report.verdict import threats, verdict, warnings
from evaluation.results import LadderRow, Recommendation, Role, SampleGroup, ShownSample
from evaluation.scoring.compilers import missing
from evaluation.spec import EvaluateSpec
from modeling.inference.dynamic_evaluation import chosen_adaptation, dynamic_surprisals
from modeling.inference.likelihood import bits_of_documents
from modeling.inference.samples import Sample
from modeling.models.model import CharModel
from modeling.vocab import Ids, Vocabulary
from system.progress import Progress

TRAIN_CHARACTERS = 200_000
"""So much of the training text is scored, to stand beside the held-out bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is judged, and with what.

    Attributes:
        train, validation, test: documents of each split, in corpus order.
        samples: of the model, of one length.
    """

    title: str
    language: str
    train: Sequence[Document]
    validation: Sequence[Document]
    test: Sequence[Document]
    model: CharModel
    vocabulary: Vocabulary
    samples: Sequence[Sample]

    def ids(self, documents: Sequence[Document]) -> list[Ids]:
        """Ids of documents, the mark in front of each."""
        return self.vocabulary.encode_documents([document.text for document in documents])


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the judging found; see `Evaluation` for the meaning of each."""

    verdict: str
    headline: str | None
    ladder: Sequence[LadderRow]
    groups: Sequence[SampleGroup]
    samples: Sequence[ShownSample]
    recommended: Recommendation | None
    warnings: Sequence[str]
    threats: Sequence[str]
    evidence: Evidence


def assess(material: Material, spec: EvaluateSpec) -> Generator[Progress, None, Findings]:
    """Judge a model by its likelihood and by its samples."""
    yield Progress.at(0.0, "counting n-grams")
    baseline = up_to(material.train, spec.baseline_characters)
    orders = sorted({*spec.ngram_orders, spec.floor_order})
    counts = NgramCounts(material.ids(baseline), material.vocabulary, orders[-1])
    ladder, documents = yield from _ladder(material, spec, counts)
    yield Progress.at(0.6, "indexing the training text")
    labels = [(f"{d.source}/{d.path}", d.license) for d in baseline]
    copies = CopyIndex([document.text for document in baseline], labels)
    judged = yield from _judge_groups(material, spec, counts, copies)
    groups = [one.group for one in judged]
    headline = LANGUAGES[material.language].scorer.headline
    texts = [text for one in judged for text in one.texts]
    choice = recommended(texts, headline)
    return Findings(
        verdict=verdict(material.title, ladder, groups, headline, choice),
        headline=headline,
        ladder=ladder,
        groups=groups,
        samples=_shown(material, spec, judged, copies),
        recommended=choice,
        warnings=tuple(warnings(groups, headline, len(material.test))),
        threats=tuple(
            threats(
                groups=groups,
                headline=headline,
                test_files=len(material.test),
                ladder=ladder,
                baseline_share=_characters(baseline) / _characters(material.train),
                python=platform.python_version() if material.language == "python" else None,
                no_compiler=missing(material.language),
            )
        ),
        evidence=Evidence(documents=documents, texts=texts),
    )


def up_to(documents: Sequence[Document], characters: int) -> list[Document]:
    """As many whole documents as fit into `characters`, at least one, in corpus order.

    Taken in the order of their digests, which depends on nothing but the texts.
    """
    chosen, room = set(), characters
    for document in sorted(documents, key=lambda d: d.sha256):
        if chosen and len(document.text) > room:
            continue
        chosen.add(document.sha256)
        room -= len(document.text)
    return [document for document in documents if document.sha256 in chosen]


def _ladder(
    material: Material, spec: EvaluateSpec, counts: NgramCounts
) -> Generator[Progress, None, tuple[list[LadderRow], list[DocumentBits]]]:
    """Score the held-out files by every predictor, the worst first; give the bits of each file."""
    test = up_to(material.test, spec.test_characters)
    held_out = HeldOut.of([document.text for document in test], material.vocabulary)
    scored = []
    total = len(spec.ngram_orders) + 2
    for row, bits in baseline_rows(counts, spec.ngram_orders, held_out):
        scored.append((row, bits))
        yield Progress.at(0.3 + 0.2 * len(scored) / total, f"scoring held-out files: {row.name}")
    _, rival = min((one for one in scored if one[0].kind == "ngram"), key=_bits_per_char)
    name = material.model.config.architecture.upper()
    yield Progress.at(0.5, f"scoring held-out files: {name}")
    bits = bits_of_documents(material.model, material.vocabulary, held_out.ids)
    some = up_to(material.train, TRAIN_CHARACTERS)
    train_bits = bits_of_documents(material.model, material.vocabulary, material.ids(some))
    train_bits_per_char = float(train_bits.sum()) / _characters(some)
    scored.append((held_out.row(name, "model", bits, train_bits_per_char), bits))
    rows = [row for row, _ in scored]
    priming = [document.text for document in up_to(material.train, spec.priming_characters)]
    if spec.dynamic:
        yield Progress.at(0.52, f"scoring held-out files: {name}, dynamic evaluation")
        rows.append(_dynamic_row(material, held_out, name))
    yield Progress.at(0.55, "scoring held-out files: compressors")
    rows += compressor_rows(priming, [document.text for document in test], held_out)
    rows.sort(key=lambda row: row.bits_per_char, reverse=True)
    return rows, _document_bits(test, bits, rival)


def _dynamic_row(material: Material, held_out: HeldOut, name: str) -> LadderRow:
    """The model that goes on learning from file to file, at rates chosen on validation text."""
    model, vocabulary = material.model, material.vocabulary
    how = chosen_adaptation(model, vocabulary, material.ids(material.validation))
    bits = dynamic_surprisals(model, vocabulary, held_out.ids, how)
    sums = np.array([part.sum() for part in bits])
    return held_out.row(f"{name}, dynamic evaluation", "adaptive", sums)


def _bits_per_char(scored: tuple[LadderRow, Bits]) -> float:
    return scored[0].bits_per_char


def _document_bits(
    documents: Sequence[Document], model_bits: Bits, ngram_bits: Bits
) -> list[DocumentBits]:
    return [
        DocumentBits(
            path=f"{document.source}/{document.path}",
            sha256=document.sha256,
            characters=len(document.text),
            model_bits=float(of_model),
            ngram_bits=float(of_ngram),
        )
        for document, of_model, of_ngram in zip(documents, model_bits, ngram_bits, strict=True)
    ]


def _judge_groups(
    material: Material, spec: EvaluateSpec, counts: NgramCounts, copies: CopyIndex
) -> Generator[Progress, None, list[Judged]]:
    """Judge the floor, the model's samples at each temperature, and the control."""
    by_temperature: dict[float, list[str]] = {}
    for sample in material.samples:
        by_temperature.setdefault(sample.temperature, []).append(sample.continuation)
    length = max(len(sample.continuation) for sample in material.samples)
    number = max(map(len, by_temperature.values()))
    yield Progress.at(0.65, "sampling the floor")
    ids = counts.model(spec.floor_order).sample([spec.seed + i for i in range(number)], length)
    floor = [material.vocabulary.decode(stream) for stream in ids]
    held_out = [document.text for document in (*material.test, *material.validation)]
    control = windows(held_out, length=length, at_most=spec.control_windows)
    wanted: list[tuple[str, Role, float | None, list[str]]] = [
        (f"Kneser-Ney {spec.floor_order}", "floor", None, floor),
        *(
            (f"temperature {temperature:g}", "model", temperature, texts)
            for temperature, texts in by_temperature.items()
        ),
        ("held-out text", "control", None, control),
    ]
    judged = []
    for done, (name, role, temperature, texts) in enumerate(wanted):
        yield Progress.at(0.75 + 0.24 * done / len(wanted), f"scoring samples: {name}")
        judged.append(
            judge(
                texts,
                name=name,
                role=role,
                language=material.language,
                copies=copies,
                temperature=temperature,
            )
        )
    return judged


def _shown(
    material: Material, spec: EvaluateSpec, judged: Sequence[Judged], copies: CopyIndex
) -> list[ShownSample]:
    """The first samples of each temperature, uncurated, with what was found in them."""
    scores = {one.group.temperature: one.scores for one in judged if one.group.role == "model"}
    seen: dict[float, int] = {}
    shown = []
    for sample in material.samples:
        place = seen.get(sample.temperature, 0)
        seen[sample.temperature] = place + 1
        if place < spec.shown_samples:
            shown.append(
                ShownSample(
                    seed=sample.seed,
                    temperature=sample.temperature,
                    text=sample.continuation,
                    first_error=scores[sample.temperature][place].first_error,
                    copied=tuple(fewest(copies.spans(sample.continuation))),
                    surprisal=tuple(sample.surprisal),
                )
            )
    return shown


def _characters(documents: Sequence[Document]) -> int:
    return sum(len(document.text) for document in documents)
