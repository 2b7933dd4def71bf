"""The settings of an evaluation."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class EvaluateSpec(BaseModel):
    """Baselines, control and sizes of an evaluation. Limits in characters apply to whole files.

    Attributes:
        ngram_orders: orders of the Kneser-Ney models in the ladder.
        floor_order: order of the n-gram model whose samples are the floor.
        control_windows: maximum number of windows of held-out text in the control.
        test_characters: maximum of held-out text that is scored.
        baseline_characters: maximum of training text in which n-grams are counted and copies are
            searched.
        priming_characters: maximum of training text that compressors are primed with.
        dynamic: also score the held-out files by dynamic evaluation, alone and mixed with earlier
            occurrences of each context, at about 20 times the cost.
        shown_samples: samples of each temperature in the report, the first ones.
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
