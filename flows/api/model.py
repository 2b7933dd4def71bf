"""A trained model in a notebook: it writes text, and says how surprised it is by a text."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.errors import ScoreError
from evaluation.languages import LANGUAGES, known_languages
from evaluation.metrics.catalogue import meaning_of
from evaluation.results import Tally
from flows.api.columns import SAMPLES, SCORES, from_rows
from modeling.inference.settings import SamplingSettings
from modeling.vocab import FILE_MARK, Vocabulary
from system.settings import Settings

if TYPE_CHECKING:
    from modeling.models.model import CharModel

DEFAULTS = SamplingSettings(length=1000, temperature=0.8)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model; made by `Dataset.model`.

    Attributes:
        network: the torch module, in evaluation mode.
        vocabulary: V characters and their ids, 0 to V - 1.
    """

    network: "CharModel"
    vocabulary: Vocabulary

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> Self:
        """Load the model in the folder of a finished training.

        Raises:
            OptionError: if this machine has no such device.
            ModelFileError: if the folder holds no complete model.
        """
        from flows.stages.devices import device_of
        from modeling.checkpoint import load_model

        network, vocabulary, _ = load_model(folder, device_of(device or Settings().device))
        return cls(network=network, vocabulary=vocabulary)

    def sample(
        self,
        prompt: str = "",
        *,
        length: int = 1000,
        temperature: float = 0.8,
        seed: int = 0,
        top_k: int | None = None,
        top_p: float | None = None,
        max_run: int | None = None,
        sharpen_runs: bool = False,
    ) -> str:
        """Write one text: the prompt and `length` characters after it, as `charmill sample` does.

        U+FFFF separates files, which the model begins and ends as it likes.

        Args:
            prompt: text to continue; by default a new file begins.
            length: characters to generate.
            temperature: 0 (always the likeliest character) to 100.
            seed: the same seed gives the same text.
            top_k: draw from this many of the likeliest characters only.
            top_p: draw from the smallest set of characters whose probabilities sum to this share.
            max_run: longest run of one character.
            sharpen_runs: let a temperature below 1 favour long runs of one character.

        Raises:
            SamplingError: if a setting is out of range, or the model does not know a character of
                the prompt.
        """
        settings = SamplingSettings(
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            max_run=max_run,
            sharpen_runs=sharpen_runs,
            prompt=prompt,
        )
        return prompt + self._write([seed], settings)[0]

    def samples(
        self,
        seeds: Iterable[int] = range(4),
        temperatures: Sequence[float] = (0.5, 0.8, 1.0),
        *,
        length: int = 1000,
    ) -> pd.DataFrame:
        """Write a text for every temperature and seed, a row each, columns as `Dataset.samples`.

        Args:
            seeds: of each temperature.
            temperatures: 0 to 100.
            length: characters of each text.

        Raises:
            SamplingError: if a setting is out of range.
        """
        from modeling.inference.likelihood import sample_surprisals

        rows, chosen = [], list(seeds)
        for temperature in temperatures:
            settings = replace(DEFAULTS, length=length, temperature=temperature)
            texts = self._write(chosen, settings)
            ids = [self.vocabulary.encode(text) for text in texts]
            bits = sample_surprisals(self.network, self.vocabulary, ids)
            rows += (
                {
                    "temperature": temperature,
                    "seed": seed,
                    "text": text,
                    "characters": len(text),
                    "bits_per_char": of_text.mean(),
                }
                for seed, text, of_text in zip(chosen, texts, bits, strict=True)
            )
        return from_rows(rows, SAMPLES)

    def surprisal(self, text: str) -> NDArray[np.float64]:
        """Bits of every character of a text that begins a file, (len(text),) float64.

        A character that the model does not know is charged, too. The mean is bits per character.
        """
        from modeling.inference.likelihood import sample_surprisals

        if not text:
            return np.zeros(0)
        return sample_surprisals(self.network, self.vocabulary, [self.vocabulary.encode(text)])[0]

    def _write(self, seeds: Sequence[int], settings: SamplingSettings) -> list[str]:
        from modeling.inference.sampling import sample

        blocks = list(sample(self.network, self.vocabulary, seeds, settings))
        return [self.vocabulary.decode(ids) for ids in np.concatenate(blocks, axis=1)]


def score(texts: str | Iterable[str], language: str, *, whole: bool = False) -> pd.DataFrame:
    """Score texts by every metric of their language that needs no training text: do they parse?

    Args:
        texts: one text, or several, such as `samples["text"]`; scored in a separate process,
            with limits on time and memory.
        language: as in a dataset's TOML, for example python.
        whole: each text is a whole file. By default it is a sample: it begins a file and ends
            anywhere, with U+FFFF between its files. (A report leaves out the first one.)

    Returns:
        A row per metric, over all texts. Warns of texts that could not be scored.

    Raises:
        ScoreError: if there is no such language.
    """
    if language not in LANGUAGES:
        raise ScoreError(f"no language {language!r}; known: {known_languages()}")
    chosen = [texts] if isinstance(texts, str) else list(texts)
    return from_rows(_metric_rows(_tallies(chosen, language, whole=whole)), SCORES)


def _tallies(texts: Sequence[str], language: str, *, whole: bool) -> dict[str, list[Tally]]:
    """The tallies of all texts by metric."""
    from evaluation.metrics.diversity import diversity
    from evaluation.scoring.compilers import compiler_tallies
    from evaluation.scoring.sandbox import score_all

    judged = texts if whole else [text.removeprefix(FILE_MARK) for text in texts]
    scores = list(score_all(language, judged, shape="file" if whole else "sample"))
    compiled = compiler_tallies(language, judged, whole=whole, from_start=True)
    found: dict[str, list[Tally]] = defaultdict(list)
    for text, score_of_text, by_compiler in zip(texts, scores, compiled, strict=True):
        for key, tally in {**score_of_text.tallies, **by_compiler, **diversity(text)}.items():
            found[key].append(tally)
    _warn_of_unscored([one.outcome for one in scores])
    return found


def _metric_rows(tallies: Mapping[str, Sequence[Tally]]) -> Iterator[dict[str, Any]]:
    from evaluation.metrics.groups import metric_of

    for key, of_texts in tallies.items():
        metric = metric_of(key, of_texts)
        low, high = metric.interval or (None, None)
        yield {
            "metric": key,
            "label": meaning_of(key).label,
            "value": metric.value,
            "low": low,
            "high": high,
            "n": metric.n,
        }


def _warn_of_unscored(outcomes: Sequence[str]) -> None:
    counts = Counter(outcome for outcome in outcomes if outcome != "ok")
    for outcome, number in counts.items():
        warnings.warn(
            f"{number} of {len(outcomes)} texts have no validity: {outcome}", stacklevel=4
        )
