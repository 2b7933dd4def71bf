"""Evaluate a trained model on its corpus and its samples: all steps, in order.

`assess` is a generator: it yields its progress and returns the findings.
"""

import platform
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from corpora.document import Document
from evaluation.baselines.adapting_model import adapting_rows
from evaluation.baselines.compressors import compressor_rows
from evaluation.baselines.ladder import Bits, HeldOut, baseline_rows
from evaluation.baselines.ngram import NgramCounts
from evaluation.evidence import DocumentBits, Evidence
from evaluation.languages import LANGUAGES
from evaluation.metrics.degeneration import degenerate_temperatures, real_text
from evaluation.metrics.groups import ScoredGroup, score_group, windows
from evaluation.metrics.originality import CopyIndex, covering
from evaluation.metrics.temperature import recommend
from evaluation.report.facts import Facts, Training
from evaluation.report.shown import first_samples
from evaluation.report.threats import threats
from evaluation.report.verdict import verdict
from evaluation.results import LadderRow, Recommendation, Role, SampleGroup, ShownSample, Threat
from evaluation.scoring.compilers import why_no_compiler
from evaluation.spec import EvaluateSpec
from modeling.inference.likelihood import bits_of_documents
from modeling.inference.samples import Sample
from modeling.models.model import CharModel
from modeling.vocab import Ids, Vocabulary
from system.progress import Progress

TRAIN_CHARACTERS = 200_000
"""Training text that is scored too, for comparison with the held-out bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationInputs:
    """A trained model, its samples, and the corpus it was trained on.

    Attributes:
        dataset: its name.
        train, validation, test: documents of each split, in corpus order.
        samples: of the model, all of one length.
        training: how the model was trained.
        near_copies: held-out files with a near-copy in the training text, None if not searched for.
    """

    dataset: str
    title: str
    language: str
    train: Sequence[Document]
    validation: Sequence[Document]
    test: Sequence[Document]
    model: CharModel
    vocabulary: Vocabulary
    samples: Sequence[Sample]
    training: Training
    near_copies: int | None

    @property
    def model_name(self) -> str:
        """Name of the model in the report: its architecture, in capitals."""
        return self.model.config.architecture.upper()

    def ids(self, documents: Sequence[Document]) -> list[Ids]:
        """Ids of documents, each starting with the file mark."""
        return self.vocabulary.encode_documents([document.text for document in documents])


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Results of `assess`; see `Evaluation` for the meaning of each field."""

    verdict: str
    headline: str | None
    ladder: Sequence[LadderRow]
    groups: Sequence[SampleGroup]
    samples: Sequence[ShownSample]
    recommended: Recommendation | None
    threats: Sequence[Threat]
    evidence: Evidence


def assess(inputs: EvaluationInputs, spec: EvaluateSpec) -> Generator[Progress, None, Findings]:
    """Evaluate a model by its likelihood and by its samples."""
    yield Progress.at(0.0, "counting n-grams")
    baseline = limited(inputs.train, spec.baseline_characters)
    orders = sorted({*spec.ngram_orders, spec.floor_order})
    counts = NgramCounts(inputs.ids(baseline), inputs.vocabulary, orders[-1])
    ladder, documents = yield from _ladder(inputs, spec, counts)
    yield Progress.at(0.6, "indexing the training text")
    labels = [(f"{d.source}/{d.path}", d.license) for d in baseline]
    copies = CopyIndex([document.text for document in baseline], labels)
    scored = yield from _score_groups(inputs, spec, counts, copies)
    texts = [text for one in scored for text in one.texts]
    degenerate = degenerate_temperatures(texts)
    groups = [
        replace(one.group, degenerate=degenerate.get(one.group.temperature or 0.0, ()))
        for one in scored
    ]
    headline = LANGUAGES[inputs.language].scorer.headline
    choice = recommend(texts, headline)
    share = _characters(baseline) / _characters(inputs.train)
    return Findings(
        verdict=verdict(inputs.title, ladder, groups, headline, choice, training=inputs.training),
        headline=headline,
        ladder=ladder,
        groups=groups,
        samples=_shown_samples(inputs, spec, scored, copies, choice),
        recommended=choice,
        threats=threats(_facts(inputs, ladder, groups, headline, share)),
        evidence=Evidence(documents=documents, texts=texts),
    )


def _facts(
    inputs: EvaluationInputs,
    ladder: Sequence[LadderRow],
    groups: Sequence[SampleGroup],
    headline: str | None,
    baseline_share: float,
) -> Facts:
    """What the threats are derived from."""
    excerpt = limited(inputs.validation, inputs.vocabulary.affordable(TRAIN_CHARACTERS))
    bits = bits_of_documents(inputs.model, inputs.vocabulary, inputs.ids(excerpt))
    characters = _characters(excerpt)
    return Facts(
        dataset=inputs.dataset,
        model_name=inputs.model_name,
        training=inputs.training,
        ladder=ladder,
        groups=groups,
        headline=headline,
        test_files=len(inputs.test),
        validation_bits=float(bits.sum()) / characters if characters else None,
        near_copies=inputs.near_copies,
        baseline_share=baseline_share,
        vocabulary_size=inputs.vocabulary.size,
        python=platform.python_version() if inputs.language == "python" else None,
        no_compiler=why_no_compiler(inputs.language),
    )


def limited(documents: Sequence[Document], max_characters: int) -> list[Document]:
    """Whole documents of at most `max_characters` in total, at least one, in corpus order.

    They are chosen in the order of their digests, which depends only on the texts.
    """
    chosen, room = set(), max_characters
    for document in sorted(documents, key=lambda d: d.sha256):
        if chosen and len(document.text) > room:
            continue
        chosen.add(document.sha256)
        room -= len(document.text)
    return [document for document in documents if document.sha256 in chosen]


def _ladder(
    inputs: EvaluationInputs, spec: EvaluateSpec, counts: NgramCounts
) -> Generator[Progress, None, tuple[list[LadderRow], list[DocumentBits]]]:
    """Score the held-out files with every predictor.

    Returns:
        The rows, worst first, and the bits of each file under the model and the best n-gram.
    """
    test = limited(inputs.test, inputs.vocabulary.affordable(spec.test_characters))
    held_out = HeldOut.of(_texts(test), inputs.vocabulary)
    scored = []
    total = len(spec.ngram_orders) + 2
    for row, bits in baseline_rows(counts, spec.ngram_orders, held_out):
        scored.append((row, bits))
        yield Progress.at(0.3 + 0.2 * len(scored) / total, f"scoring held-out files: {row.name}")
    _, rival = min((one for one in scored if one[0].kind == "ngram"), key=_bits_per_char)
    yield Progress.at(0.5, f"scoring held-out files: {inputs.model_name}")
    bits = bits_of_documents(inputs.model, inputs.vocabulary, held_out.ids)
    excerpt = limited(inputs.train, inputs.vocabulary.affordable(TRAIN_CHARACTERS))
    train_bits = bits_of_documents(inputs.model, inputs.vocabulary, inputs.ids(excerpt))
    train_bits_per_char = float(train_bits.sum()) / _characters(excerpt)
    scored.append((held_out.row(inputs.model_name, "model", bits, train_bits_per_char), bits))
    rows = [row for row, _ in scored]
    priming = limited(inputs.train, spec.priming_characters)
    if spec.dynamic:
        rows += yield from adapting_rows(
            inputs.model_name,
            inputs.model,
            inputs.vocabulary,
            priming=inputs.ids(priming),
            validation=inputs.ids(inputs.validation),
            held_out=held_out,
            span=(0.52, 0.55),
        )
    yield Progress.at(0.55, "scoring held-out files: compressors")
    rows += compressor_rows(_texts(priming), _texts(test), held_out)
    rows.sort(key=lambda row: row.bits_per_char, reverse=True)
    return rows, _document_bits(test, bits, rival)


def _texts(documents: Sequence[Document]) -> list[str]:
    return [document.text for document in documents]


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


def _score_groups(
    inputs: EvaluationInputs, spec: EvaluateSpec, counts: NgramCounts, copies: CopyIndex
) -> Generator[Progress, None, list[ScoredGroup]]:
    """Score the floor, the model's samples at each temperature, and the control."""
    by_temperature: dict[float, list[str]] = {}
    for sample in inputs.samples:
        by_temperature.setdefault(sample.temperature, []).append(sample.continuation)
    length = max(len(sample.continuation) for sample in inputs.samples)
    number = max(map(len, by_temperature.values()))
    yield Progress.at(0.65, "sampling the floor")
    ids = counts.model(spec.floor_order).sample([spec.seed + i for i in range(number)], length)
    floor = [inputs.vocabulary.decode(stream) for stream in ids]
    held_out = [document.text for document in (*inputs.test, *inputs.validation)]
    control = windows(held_out, length=length, at_most=spec.control_windows)
    groups: list[tuple[str, Role, float | None, list[str]]] = [
        (f"Kneser-Ney {spec.floor_order}", "floor", None, floor),
        *(
            (f"temperature {temperature:g}", "model", temperature, texts)
            for temperature, texts in by_temperature.items()
        ),
        ("held-out text", "control", None, control),
    ]
    scored = []
    for done, (name, role, temperature, texts) in enumerate(groups):
        yield Progress.at(0.75 + 0.24 * done / len(groups), f"scoring samples: {name}")
        scored.append(
            score_group(
                texts,
                name=name,
                role=role,
                language=inputs.language,
                copies=copies,
                temperature=temperature,
            )
        )
    return scored


def _shown_samples(
    inputs: EvaluationInputs,
    spec: EvaluateSpec,
    scored: Sequence[ScoredGroup],
    copies: CopyIndex,
    choice: Recommendation | None,
) -> list[ShownSample]:
    """The samples of the report, with their errors and copies."""
    real = real_text([text for one in scored for text in one.texts])
    every: list[ShownSample] = []
    places: Counter[float] = Counter()
    by_temperature = {one.group.temperature: one for one in scored if one.group.role == "model"}
    for sample in inputs.samples:
        group, place = by_temperature[sample.temperature], places[sample.temperature]
        places[sample.temperature] += 1
        every.append(
            ShownSample(
                seed=sample.seed,
                temperature=sample.temperature,
                text=sample.continuation,
                first_error=group.scores[place].first_error,
                copied=(),
                surprisal=tuple(sample.surprisal),
                unfinished=group.judged[place].unfinished,
                degenerate=tuple(real.faults_of(group.texts[place])),
            )
        )
    first = choice.temperature if choice else None
    return [
        replace(sample, copied=tuple(covering(copies.spans(sample.text))))
        for sample in first_samples(every, first=first, number=spec.shown_samples)
    ]


def _characters(documents: Sequence[Document]) -> int:
    return sum(len(document.text) for document in documents)
