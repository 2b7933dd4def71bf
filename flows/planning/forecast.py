"""What a training would take on this machine, measured in a few seconds before it begins."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from flows.options import Run
from flows.planning.plan import Plan
from flows.stages.devices import device_of
from flows.store.paths import Layout
from system.clock import duration
from system.settings import Settings

USUAL_VOCABULARY = 100
"""Ids of a typical corpus of code, for one that is not built yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A training before it is run.

    Attributes:
        device: in words.
        hidden_size: of the model as it is set.
        parameters: of it.
        memory: bytes, estimated.
        characters_per_second: measured.
        corpus_characters: of the training text, None if the corpus is not built yet.
        characters: that the budget pays for, None for epochs of an unknown corpus.
        seconds: that the budget takes, None likewise.
        best_hidden_size: of the sizes tried, the one this much time feeds best.
    """

    device: str
    hidden_size: int
    parameters: int
    memory: int
    characters_per_second: float
    corpus_characters: int | None
    characters: int | None
    seconds: float | None
    best_hidden_size: int | None

    @property
    def epochs(self) -> float | None:
        """How often the whole training text is read, None if that is not known."""
        if self.characters is None or not self.corpus_characters:
            return None
        return self.characters / self.corpus_characters

    def to_dict(self) -> dict[str, Any]:
        """As JSON says it."""
        return asdict(self) | {"epochs": self.epochs}


def forecast(run: Run, plan: Plan, settings: Settings) -> Forecast:
    """Measure this machine at the training of `run`.

    Raises:
        OptionError: there is no such device here.
    """
    from modeling.device import describe_device
    from modeling.training.throughput import HIDDEN_SIZES, best_size, measure, with_hidden_size

    device = device_of(settings.device)
    vocabulary, corpus = _corpus(plan, Layout(settings.artifacts_root), run.train.min_count)
    speed = measure(run.train, vocabulary, device)
    characters, seconds = _spent(run, speed.characters_per_second, corpus)
    sizes = {
        size: measure(with_hidden_size(run.train, size), vocabulary, device, seconds=0.5)
        for size in HIDDEN_SIZES
    }
    return Forecast(
        device=describe_device(device),
        hidden_size=run.train.model.hidden_size,
        parameters=speed.parameters,
        memory=speed.memory,
        characters_per_second=speed.characters_per_second,
        corpus_characters=corpus,
        characters=characters,
        seconds=seconds,
        best_hidden_size=None if seconds is None else best_size(sizes, seconds),
    )


def forecast_lines(found: Forecast) -> Iterator[str]:
    """A forecast in words."""
    yield (
        f"{found.device}: {found.characters_per_second:,.0f} characters/s with hidden size "
        f"{found.hidden_size} ({found.parameters:,} parameters, about "
        f"{found.memory / 1e6:,.0f} MB)"
    )
    if found.seconds is None or found.characters is None:
        yield "the corpus is not built yet, so nobody knows how long its epochs take"
        return
    read = f"the budget reads {found.characters:,} characters in {duration(found.seconds)}"
    yield read + ("" if found.epochs is None else f": {found.epochs:.2f} epochs")
    if found.best_hidden_size != found.hidden_size:
        yield (
            f"in that time hidden size {found.best_hidden_size} would be fed best: "
            f"--set train.model.hidden_size={found.best_hidden_size}"
        )


def _corpus(plan: Plan, layout: Layout, min_count: int) -> tuple[int, int | None]:
    """Size of the vocabulary and characters of the training text, of the corpus to be used."""
    from corpora.corpus.parquet import read_character_counts
    from corpora.corpus.summary import CorpusSummary
    from modeling.vocab import Vocabulary

    decision = next((d for d in plan.decisions if d.stage == "corpus"), None)
    if decision is None or decision.action == "run":
        return USUAL_VOCABULARY, None
    folder = layout.published("corpus", plan.dataset, decision.key)
    counts = read_character_counts(folder)
    size = CorpusSummary.load(folder).splits["train"]
    return Vocabulary.from_counts(counts, min_count=min_count).size, size.characters


def _spent(run: Run, speed: float, corpus: int | None) -> tuple[int | None, float | None]:
    """Characters and seconds that the budget stands for."""
    budget = run.train.budget
    if budget.seconds is not None:
        return int(budget.seconds * speed), budget.seconds
    characters = budget.characters
    if characters is None:
        characters = None if corpus is None else round((budget.epochs or 0) * corpus)
    return characters, None if characters is None else characters / speed
