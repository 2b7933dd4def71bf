"""One dataset of the gallery, read from its report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results.published import figures, pieces, published_text
from benchmarks.results.rival import Primed, zpaq_bits
from evaluation.metrics.catalogue import meaning_of, value_text
from evaluation.report.render import load_report
from evaluation.report.view import View
from evaluation.results import Evaluation, SampleGroup
from flows.store.runs import Store

REMEMBERED = "zpaq.json"
"""In the artifacts root: bits of zpaq by the key of the corpus, since they take minutes."""
PPMD = "PPMd 16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the gallery says about one dataset.

    Attributes:
        corpus_characters: of the training split.
        trained_characters: that the training read, repetitions included.
        bits: per held-out character, by predictor; the compressors learn while they read.
        headline: key of the metric of validity, None for prose.
        shares: that metric by origin: floor, the model at `temperature`, control, published; those
            that were measured.
        texts: the same as the report writes them.
        sample: the first sample of the lowest seed at `temperature`, uncut.
    """

    dataset: str
    title: str
    description: str
    language: str
    verdict: str
    corpus_characters: int
    trained_characters: int
    training: str
    bits: Mapping[str, float]
    headline: str | None
    shares: Mapping[str, float | None]
    texts: Mapping[str, str]
    temperature: float
    sample: str
    threats: Sequence[str]

    @property
    def label(self) -> str:
        """The headline metric in words."""
        return meaning_of(self.headline).label if self.headline else "none for prose"


def read_row(dataset: str, root: Path, mirrors: Path) -> Row:
    """Read the newest report of a dataset, and score what the post published like its samples."""
    store = Store(root)
    report = load_report(store.runs("evaluate", dataset).last().folder / "report.json")
    view = View(report)
    ngrams = [row for row in view.static_rows if row.kind == "ngram"]
    best = min(ngrams, key=lambda row: row.bits_per_char)
    bits = {"LSTM": view.model.bits_per_char, "best n-gram": best.bits_per_char}
    bits |= {row.name: row.bits_per_char for row in view.adaptive_rows if row.name == PPMD}
    zpaq = _zpaq(store, dataset)
    group = _group(report)
    origins = {one.role: one for one in view.groups if one.role != "model"} | {"model": group}
    shares, texts = _validity(report, origins, published_text(dataset, mirrors))
    sample = min(
        (one for one in report.samples if one.temperature == group.temperature),
        key=lambda one: one.seed,
    )
    assert group.temperature is not None
    return Row(
        dataset=dataset,
        title=report.title,
        description=report.description,
        language=report.language,
        verdict=report.verdict,
        corpus_characters=report.split["train"][1],
        trained_characters=report.curve[-1].characters,
        training=report.cost["training"],
        bits=bits | ({"zpaq -m5": zpaq} if zpaq is not None else {}),
        headline=report.headline,
        shares=shares,
        texts=texts,
        temperature=group.temperature,
        sample=sample.text,
        threats=[threat.text for threat in view.grave_threats],
    )


def _group(report: Evaluation) -> SampleGroup:
    """The samples at the recommended temperature, else at the highest."""
    groups = [group for group in report.groups if group.role == "model"]
    wanted = report.recommended.temperature if report.recommended else None
    chosen = [group for group in groups if group.temperature == wanted]
    return chosen[0] if chosen else max(groups, key=lambda group: group.temperature or 0.0)


def _validity(
    report: Evaluation, origins: Mapping[str, SampleGroup], published: str | None
) -> tuple[dict[str, float | None], dict[str, str]]:
    """The headline metric by origin, as numbers and as texts."""
    key = report.headline
    if key is None:
        return {}, {}
    metrics = {role: group.metrics.get(key) for role, group in origins.items()}
    if published is not None:
        model = origins["model"]
        cut = pieces(published, model.characters_each, model.texts)
        metrics["published"] = figures(report.language, cut).get(key)
    values = {role: metric.value if metric else None for role, metric in metrics.items()}
    return values, {role: value_text(key, metric) for role, metric in metrics.items()}


def _zpaq(store: Store, dataset: str) -> float | None:
    corpus = store.runs("corpus", dataset).last()
    path = store.root / REMEMBERED
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if corpus.key not in known:
        bits = zpaq_bits(Primed.of(corpus.folder))
        if bits is None:
            return None
        known[corpus.key] = bits
        path.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return known[corpus.key]
