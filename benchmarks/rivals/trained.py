"""Networks that are trained for the same CPU time on one thread."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import peers
from benchmarks.quality import Texts, charmill, peer, per_character, static
from benchmarks.rivals import nano_gpt
from benchmarks.rivals.cells import Figures, Key
from benchmarks.rivals.texts import shown
from modeling.checkpoint import save_model
from modeling.config import Budget
from modeling.inference.dynamic_evaluation import first_characters
from modeling.presets import PRESETS

PART = "trained"
OURS = "charmill"
PRESET, SMALL_PRESET = "smoke", "smoke-small"
SMALL_TEXT = 2_000_000
"""Characters of training text up to which `SMALL_PRESET` is meant."""
RIVALS: Mapping[str, str] = {
    OURS: f"charmill, preset `{PRESET}` (up to 2 MB: `{SMALL_PRESET}`)",
    "nanogpt": "nanoGPT, its recipe for a CPU (4 layers, 128 wide, context 64)",
    "nanogpt-larger": "nanoGPT, larger (6 layers, 192 wide, context 128)",
    "char-rnn": "char-rnn's defaults, in torch",
    "char-rnn.pytorch": "char-rnn.pytorch's defaults",
    "keras-windows": "the Keras recipe of the posts, in torch",
}
"""In the order of the table."""
FIRST = (OURS, "nanogpt")
"""Those that are measured before the others."""
SHAPES = {"nanogpt": nano_gpt.CPU_RECIPE, "nanogpt-larger": nano_gpt.LARGER}
VALIDATION = 10_000
"""Characters by which the rivals choose their best weights; it takes none of their time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gym:
    """Where rivals train.

    Attributes:
        mirrors: with nanoGPT's repository.
        models: folder for charmill's models, which dynamic evaluation needs.
    """

    mirrors: Path
    models: Path

    def train(self, key: Key, texts: Texts) -> Figures:
        """Train and score a rival.

        Raises:
            TrialError: if its code is not there.
        """
        if key.rival == OURS:
            return self._ours(key, texts)
        short = replace(texts, validation=first_characters(texts.validation, VALIDATION))
        done = peer(short, self._recipe(key.rival), key.seconds, key.seed)
        return asdict(done)

    def model(self, key: Key) -> Path:
        """The folder of a model of ours."""
        return self.models / key.slug

    def _ours(self, key: Key, texts: Texts) -> Figures:
        preset = SMALL_PRESET if len(texts.stream) <= SMALL_TEXT else PRESET
        config = replace(PRESETS[preset], budget=Budget(seconds=key.seconds), seed=key.seed)
        model, totals = charmill(texts, config)
        save_model(self.model(key), config, texts.vocabulary, model)
        return {
            "bits": per_character(static(texts, model)),
            "updates": totals.step,
            "seconds": totals.seconds,
        }

    def _recipe(self, rival: str) -> peers.Recipe:
        if rival not in SHAPES:
            return peers.PEERS[rival]
        source = shown(self.mirrors, nano_gpt.REPOSITORY, nano_gpt.MODEL)
        return nano_gpt.recipe(nano_gpt.model_code(source), SHAPES[rival])


def in_order(
    rivals: Sequence[str],
    texts: Sequence[str],
    budgets: Sequence[float],
    seeds: int,
    held_out: int,
) -> list[Key]:
    """All cells, the most important first: a run that is cut short has whole columns.

    Rivals take turns, so that what disturbs the machine disturbs all.
    """
    first = [rival for rival in rivals if rival in FIRST]
    others = [rival for rival in rivals if rival not in FIRST]
    return [
        Key(part=PART, rival=rival, text=text, seconds=seconds, seed=seed, characters=held_out)
        for seconds in sorted(budgets)
        for tier in (first, others)
        for seed in range(seeds)
        for text in texts
        for rival in tier
    ]
