"""How text is sampled from a model."""

from dataclasses import dataclass

from modeling.errors import SamplingError
from modeling.vocab import FILE_MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """Settings of the sampled streams, checked when created.

    Attributes:
        length: characters per stream.
        temperature: divides the logits; 0 always chooses the likeliest character.
        top_k: choose among this many likeliest characters.
        top_p: nucleus sampling (Holtzman et al. 2020): choose from the smallest set of characters
            whose probabilities sum to at least this.
        max_run: longest run of one character.
        sharpen_runs: let a temperature below 1 also sharpen the choice between one more and another
            character after three of the same. A run of n blanks takes n such choices, each made for
            the likelier "one more", so runs become longer than any in the training text. By
            default, one more is then at most as likely as at temperature 1.
        prompt: beginning of every stream, at the start of a document, with or without a leading
            file mark.

    Raises:
        SamplingError: a number is out of range.
    """

    length: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_run: int | None = None
    sharpen_runs: bool = False
    prompt: str = FILE_MARK

    def __post_init__(self) -> None:
        if self.length < 1:
            raise SamplingError(f"length must be at least 1, got {self.length}")
        if not 0 <= self.temperature <= 100:
            raise SamplingError(f"temperature must lie in [0, 100], got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise SamplingError(f"top_k must be at least 1, got {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise SamplingError(f"top_p must lie in (0, 1], got {self.top_p}")
        if self.max_run is not None and self.max_run < 1:
            raise SamplingError(f"max_run must be at least 1, got {self.max_run}")
