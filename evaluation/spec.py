"""What a model is judged by: the settings of an evaluation."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class EvaluateSpec(BaseModel):
    """Yardsticks of an evaluation.

    Attributes:
        ngram_orders: of the Kneser-Ney models in the ladder.
        floor_order: of the one whose samples are the floor.
        control_windows: at most so many windows of held-out text are the control.
        test_characters: held-out files are scored up to so many characters, whole files.
        baseline_characters: n-grams are counted, and copies looked for, in at most so many
            training characters, whole files.
        priming_characters: of the training text that compressors are primed with, whole files.
        dynamic: score the held-out files by dynamic evaluation too, at some twenty times the cost.
        shown_samples: so many samples of each temperature stand in the report, the first ones.
        seed: of the floor's samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ngram_orders: tuple[Annotated[int, Field(ge=2, le=12)], ...] = Field(
        default=(3, 4, 5, 6, 8, 10, 12), min_length=1
    )
    floor_order: int = Field(default=5, ge=2, le=12)
    control_windows: int = Field(default=60, ge=2)
    test_characters: int = Field(default=1_000_000, ge=1_000)
    baseline_characters: int = Field(default=50_000_000, ge=1_000)
    priming_characters: int = Field(default=4_000_000, ge=1_000)
    dynamic: bool = False
    shown_samples: int = Field(default=2, ge=1, le=10)
    seed: int = Field(default=0, ge=0)
