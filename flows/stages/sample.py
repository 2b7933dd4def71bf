"""Sample: generate whole files with fixed seeds, at several temperatures."""

import itertools
import logging
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.options import Run, SampleSpec
from flows.stages.devices import device_of
from flows.store.disk import sync
from flows.store.stage import Stage, StageContext
from system.progress import Progress

if TYPE_CHECKING:
    from modeling.inference.samples import Sample
    from modeling.inference.settings import SamplingSettings
    from modeling.models.model import CharModel
    from modeling.vocab import Ids, Vocabulary

_log = logging.getLogger(__name__)

STREAMS = 16
"""Streams that `write_until` generates in one batch."""


def _parameters(run: Run) -> dict[str, Any]:
    return run.sample.model_dump(mode="json")


def _work(context: StageContext) -> Generator[Progress, None, dict[str, Any]]:
    """Each finished temperature has its own folder, so a killed run resumes after the last one."""
    from modeling.checkpoint import load_model
    from modeling.inference.samples import read_samples, write_samples
    from modeling.vocab import LARGE

    spec = context.run.sample
    model, vocabulary, _ = load_model(context.inputs["train"], device_of(context.settings.device))
    if vocabulary.size > LARGE:
        _log.warning(
            "the vocabulary is large, %d characters: samples of %d characters instead of %d, which "
            "would take %.1f times as long; train.min_count leaves rare characters out",
            *(vocabulary.size, vocabulary.affordable(spec.length), spec.length),
            vocabulary.size / LARGE,
        )
    parts = [context.directory / f"part-{turn}" for turn in range(len(spec.temperatures))]
    for turn, part in enumerate(parts):
        if not part.exists():
            samples = yield from _samples(spec, turn, model, vocabulary)
            partial = part.with_suffix(".partial")
            partial.mkdir(exist_ok=True)
            write_samples(partial, samples)
            sync(partial)
            partial.replace(part)
    written = [sample for part in parts for sample in read_samples(part)]
    write_samples(context.directory, written)
    for part in parts:
        # Renamed first: half of a part would pass for a whole one after a kill.
        shutil.rmtree(part.replace(part.with_suffix(".partial")))
    characters = sum(len(sample.continuation) for sample in written)
    return {"samples": len(written), "characters": characters}


def _samples(
    spec: SampleSpec, turn: int, model: "CharModel", vocabulary: "Vocabulary"
) -> "Generator[Progress, None, list[Sample]]":
    """The samples of one temperature."""
    import numpy as np

    from modeling.inference.likelihood import sample_surprisals
    from modeling.inference.samples import Sample
    from modeling.inference.sampling import sample
    from modeling.inference.settings import SamplingSettings
    from modeling.vocab import FILE_MARK

    temperature, length = spec.temperatures[turn], vocabulary.affordable(spec.length)
    seeds = [spec.seed + number for number in range(spec.samples)]
    blocks: list[Ids] = []
    settings = SamplingSettings(
        length=length, temperature=temperature, sharpen_runs=spec.sharpen_runs
    )
    for block in sample(model, vocabulary, seeds, settings):
        blocks.append(block)
        done = sum(block.shape[1] for block in blocks) / length
        fraction = (turn + done) / len(spec.temperatures)
        yield Progress.at(fraction, f"temperature {temperature:g}, {len(seeds)} in parallel")
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


def write_one(
    model_folder: Path, settings: "SamplingSettings", *, device: str, seed: int
) -> Iterator[str]:
    """Generate one text, piece by piece; a file mark becomes a rule between blank lines.

    Args:
        model_folder: of a finished training.
        settings: of the text.
        device: name of a device.
        seed: the same seed gives the same text.

    Raises:
        SamplingError: if the prompt has characters that the model does not know.
    """
    from modeling.checkpoint import load_model
    from modeling.inference.sampling import sample

    model, vocabulary, _ = load_model(model_folder, device_of(device))
    blocks = sample(model, vocabulary, [seed], settings, block_length=16)
    return (printable(vocabulary.decode(block[0])) for block in blocks)


def write_until(
    model_folder: Path, settings: "SamplingSettings", *, language: str, device: str, seed: int
) -> Iterator[tuple[str, bool]]:
    """Generate streams endlessly; yield every unit and whether it is valid.

    Args:
        model_folder: of a finished training.
        settings: of each stream.
        language: decides what a unit is.
        device: name of a device.
        seed: of the first stream.

    Raises:
        SamplingError: if the prompt has characters that the model does not know.
        ScoreError: if the language has no units.
    """
    import numpy as np

    from evaluation.scoring.rejection import checked_units
    from modeling.checkpoint import load_model
    from modeling.inference.sampling import sample
    from modeling.vocab import FILE_MARK

    model, vocabulary, _ = load_model(model_folder, device_of(device))
    for first in itertools.count(seed, STREAMS):
        seeds = range(first, first + STREAMS)
        streams = np.concatenate(list(sample(model, vocabulary, seeds, settings)), axis=1)
        # Each prompt starts a file, so that it can be the start of a whole unit.
        texts = [
            FILE_MARK + settings.prompt.removeprefix(FILE_MARK) + vocabulary.decode(ids)
            for ids in streams
        ]
        yield from checked_units(language, texts)


def printable(text: str) -> str:
    """Text for a terminal: file marks as a rule, escapes made visible."""
    from modeling.vocab import FILE_MARK

    rule = "\n" + "-" * 20 + " end of file " + "-" * 20 + "\n"
    return "".join(
        rule if c == FILE_MARK else c if c in "\n\t" or c.isprintable() else repr(c)[1:-1]
        for c in text
    )


SAMPLE = Stage(
    name="sample",
    version=4,
    inputs=("train",),
    parameters=_parameters,
    work=_work,
    resumable=True,
)
