"""What the threats to a report are derived from."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.results import LadderRow, ReportCurvePoint, SampleGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How the model was trained.

    Attributes:
        characters: trained on, in all.
        epoch: characters of the training text.
        curve: validation bits over characters, in order.
    """

    characters: int
    epoch: int
    seconds: float
    learning_rate: float
    curve: Sequence[ReportCurvePoint]

    @property
    def validations(self) -> list[tuple[int, float]]:
        """Characters trained on and validation bits, of every validation."""
        points = ((point.characters, point.validation_bits) for point in self.curve)
        return [(characters, bits) for characters, bits in points if bits is not None]

    @property
    def rise(self) -> float:
        """How far the validation bits have risen since their minimum."""
        bits = [bits for _, bits in self.validations]
        return bits[-1] - min(bits) if bits else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that threats are derived from.

    Attributes:
        dataset: its name, for commands.
        model_name: name of the model in the ladder.
        groups: scored samples, with the reasons why any are degenerate.
        headline: key of the validity metric, None for prose.
        test_files: number of held-out files that the ladder scores.
        validation_bits: of the model per character of the validation files, None without any.
        near_copies: held-out files with a near-copy in the training text, None if not searched for.
        baseline_share: share of the training characters in the n-gram counts.
        vocabulary_size: characters that the model knows, and the two special ids.
        python: version of the interpreter that parsed the samples, None for other languages.
        no_compiler: why no compiler checked the blocks, None if one did or the language has none.
    """

    dataset: str
    model_name: str
    training: Training
    ladder: Sequence[LadderRow]
    groups: Sequence[SampleGroup]
    headline: str | None
    test_files: int
    validation_bits: float | None
    near_copies: int | None
    baseline_share: float
    vocabulary_size: int
    python: str | None
    no_compiler: str | None

    @property
    def control(self) -> SampleGroup | None:
        """The windows of held-out text."""
        return next((group for group in self.groups if group.role == "control"), None)

    def run_with(self, *options: str) -> str:
        """The command that runs this dataset with other options."""
        return f"charmill run {self.dataset} {' '.join(options)}"
