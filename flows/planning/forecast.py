"""Estimate how long a training takes on this machine, by measuring for a few seconds."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from flows.options import Run
from flows.planning.plan import Plan
from flows.stages.devices import device_of
from flows.store.integrity import verified
from flows.store.runs import Store
from system.clock import duration
from system.settings import Settings

USUAL_VOCABULARY = 100
"""Vocabulary size of a typical corpus of code, assumed until the corpus is built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The estimated cost of a training.

    Attributes:
        device: display name.
        hidden_size: of the configured model.
        parameters: of the configured model.
        memory: estimated bytes.
        characters_per_second: measured.
        corpus_characters: of the training text, None if the corpus is not built yet.
        characters: number read within the budget; None for epochs of a corpus not built yet.
        seconds: duration of the budget; None likewise.
        best_hidden_size: the best of the measured sizes for this duration; None likewise.
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
        """How often the whole training text is read; None if unknown."""
        if self.characters is None or not self.corpus_characters:
            return None
        return self.characters / self.corpus_characters

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return asdict(self) | {"epochs": self.epochs}


def forecast(run: Run, plan: Plan, settings: Settings) -> Forecast:
    """Measure the training of `run` on this machine.

    Raises:
        OptionError: if this machine has no such device.
    """
    from modeling.device import describe_device
    from modeling.training.throughput import HIDDEN_SIZES, best_size, measure, with_hidden_size

    device = device_of(settings.device)
    vocabulary, corpus = _corpus(plan, Store(settings.artifacts_root), run.train.min_count)
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


def forecast_lines(estimate: Forecast) -> Iterator[str]:
    """Describe a forecast in lines of text."""
    yield (
        f"{estimate.device}: {estimate.characters_per_second:,.0f} characters/s with hidden size "
        f"{estimate.hidden_size} ({estimate.parameters:,} parameters, about "
        f"{estimate.memory / 1e6:,.0f} MB)"
    )
    if estimate.seconds is None or estimate.characters is None:
        yield "the corpus is not built yet, so the duration of its epochs is unknown"
        return
    read = f"the budget reads {estimate.characters:,} characters in {duration(estimate.seconds)}"
    yield read + ("" if estimate.epochs is None else f": {estimate.epochs:.2f} epochs")
    if estimate.best_hidden_size != estimate.hidden_size:
        yield (
            f"hidden size {estimate.best_hidden_size} would be best for that duration: "
            f"--set train.model.hidden_size={estimate.best_hidden_size}"
        )


def _corpus(plan: Plan, store: Store, min_count: int) -> tuple[int, int | None]:
    """Vocabulary size, and number of training characters if the corpus is built."""
    from corpora.corpus.parquet import VOCABULARY, read_character_counts
    from corpora.corpus.summary import SUMMARY, CorpusSummary
    from modeling.vocab import Vocabulary

    decision = next((d for d in plan.decisions if d.stage == "corpus"), None)
    if decision is None or decision.action == "run":
        return USUAL_VOCABULARY, None
    folder = verified(store.runs("corpus", plan.dataset).run(decision.key), VOCABULARY, SUMMARY)
    counts = read_character_counts(folder)
    size = CorpusSummary.load(folder).splits["train"]
    return Vocabulary.from_counts(counts, min_count=min_count).size, size.characters


def _spent(run: Run, speed: float, corpus: int | None) -> tuple[int | None, float | None]:
    """Number of characters and seconds that the budget allows."""
    budget = run.train.budget
    if budget.seconds is not None:
        return int(budget.seconds * speed), budget.seconds
    characters = budget.characters
    if characters is None:
        characters = None if corpus is None else round((budget.epochs or 0) * corpus)
    return characters, None if characters is None else characters / speed
