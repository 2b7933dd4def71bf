"""Sample: let the model write whole files, with fixed seeds, at several temperatures."""

import itertools
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import OptionError
from flows.options import Run, SampleSpec
from flows.stages.devices import device_of
from flows.store.stage import Stage, StageContext
from modeling.vocab import FILE_MARK
from system.progress import Progress

if TYPE_CHECKING:
    from modeling.inference.samples import Sample
    from modeling.models.lstm import CharLSTM
    from modeling.vocab import Ids, Vocabulary

STREAMS = 16
"""Streams that `write_until` writes at once."""


def _parameters(run: Run) -> dict[str, Any]:
    return run.sample.model_dump(mode="json")


def _work(context: StageContext) -> Generator[Progress, None, dict[str, Any]]:
    """Each finished temperature has its own folder, so a killed run resumes after the last one."""
    from modeling.checkpoint import load_model
    from modeling.inference.samples import read_samples, write_samples

    spec = context.run.sample
    model, vocabulary, _ = load_model(context.inputs["train"], device_of(context.settings.device))
    parts = [context.directory / f"part-{turn}" for turn in range(len(spec.temperatures))]
    for turn, part in enumerate(parts):
        if not part.exists():
            samples = yield from _samples(spec, turn, model, vocabulary)
            unfinished = part.with_suffix(".begun")
            unfinished.mkdir(exist_ok=True)
            write_samples(unfinished, samples)
            unfinished.replace(part)
    written = [sample for part in parts for sample in read_samples(part)]
    write_samples(context.directory, written)
    for part in parts:
        shutil.rmtree(part)
    return {"samples": len(written), "characters": len(written) * spec.length}


def _samples(
    spec: SampleSpec, turn: int, model: "CharLSTM", vocabulary: "Vocabulary"
) -> "Generator[Progress, None, list[Sample]]":
    """The samples of one temperature."""
    import numpy as np

    from modeling.inference.likelihood import sample_surprisals
    from modeling.inference.samples import Sample
    from modeling.inference.sampling import sample

    temperature = spec.temperatures[turn]
    seeds = [spec.seed + number for number in range(spec.samples)]
    blocks: list[Ids] = []
    for block in sample(
        model, vocabulary, seeds=seeds, length=spec.length, temperature=temperature
    ):
        blocks.append(block)
        done = sum(block.shape[1] for block in blocks) / spec.length
        fraction = (turn + done) / len(spec.temperatures)
        yield Progress.at(fraction, f"temperature {temperature:g}, {len(seeds)} at once")
    streams = list(np.concatenate(blocks, axis=1))
    bits = sample_surprisals(model, vocabulary, streams)
    return [
        Sample(
            seed=seed,
            temperature=temperature,
            prompt=FILE_MARK,
            continuation=vocabulary.decode(ids),
            surprisal=surprisal.tolist(),
        )
        for seed, ids, surprisal in zip(seeds, streams, bits, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How to write text, for people who watch; see `modeling.inference.sampling.sample`.

    Attributes:
        device: name of a device.
        seed: of the first stream; the same seed gives the same text.
        length: characters a stream.
    """

    device: str
    length: int
    seed: int = 0
    prompt: str = ""
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    max_run: int | None = None


def write_one(model_folder: Path, settings: SamplingSettings) -> Iterator[str]:
    """Write one text, piece by piece; file marks become blank lines around a rule.

    Args:
        model_folder: of a finished training.

    Raises:
        OptionError: if the model cannot read the prompt, or a number is out of range.
    """
    from modeling.checkpoint import load_model

    model, vocabulary, _ = load_model(model_folder, device_of(settings.device))
    blocks = _blocks(model, vocabulary, settings, [settings.seed], block_length=16)
    return (printable(vocabulary.decode(block[0])) for block in blocks)


def write_until(
    model_folder: Path, language: str, settings: SamplingSettings
) -> Iterator[tuple[str, bool]]:
    """Write stream after stream, without end; yields every unit and whether it is valid.

    Args:
        model_folder: of a finished training.
        language: decides what a unit is.

    Raises:
        OptionError: if the model cannot read the prompt, or a number is out of range.
        ScoreError: if the language has no units.
    """
    import numpy as np

    from evaluation.scoring.rejection import judged_units
    from modeling.checkpoint import load_model

    model, vocabulary, _ = load_model(model_folder, device_of(settings.device))
    for first in itertools.count(settings.seed, STREAMS):
        seeds = range(first, first + STREAMS)
        streams = np.concatenate(list(_blocks(model, vocabulary, settings, seeds)), axis=1)
        # The prompt is the start of a file, so a unit that begins in it can be complete.
        texts = [FILE_MARK + settings.prompt + vocabulary.decode(ids) for ids in streams]
        yield from judged_units(language, texts)


def _blocks(
    model: "CharLSTM",
    vocabulary: "Vocabulary",
    settings: SamplingSettings,
    seeds: Sequence[int],
    block_length: int = 64,
) -> "Iterator[Ids]":
    """Blocks of the streams, each (B, K) for B seeds.

    Raises:
        OptionError: if the model cannot read the prompt, or a number is out of range.
    """
    from modeling.inference.sampling import sample

    try:
        return sample(
            model,
            vocabulary,
            seeds=seeds,
            length=settings.length,
            temperature=settings.temperature,
            top_k=settings.top_k,
            top_p=settings.top_p,
            max_run=settings.max_run,
            prompt=settings.prompt,
            block_length=block_length,
        )
    except ValueError as error:
        raise OptionError(str(error)) from None


def printable(text: str) -> str:
    """Text for a terminal: file marks as a rule, escapes made visible."""
    rule = "\n" + "-" * 20 + " end of file " + "-" * 20 + "\n"
    return "".join(
        rule if c == FILE_MARK else c if c in "\n\t" or c.isprintable() else repr(c)[1:-1]
        for c in text
    )


SAMPLE = Stage(
    name="sample",
    version=3,
    inputs=("train",),
    parameters=_parameters,
    work=_work,
    resumable=True,
)
