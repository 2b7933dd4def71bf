"""Sample: let the model write from the file mark on, with fixed seeds, at several temperatures."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from flows.computing import device_of
from flows.progress import Update
from flows.run import OptionError, Run
from flows.stage import Stage, Workplace


def _parameters(run: Run) -> dict[str, Any]:
    return run.sample.model_dump(mode="json")


def _work(place: Workplace) -> Generator[Update, None, dict[str, Any]]:
    import numpy as np

    from modeling.checkpoint import load_model
    from modeling.likelihood import sample_surprisals
    from modeling.samples import Sample, write_samples
    from modeling.sampling import sample
    from modeling.vocab import FILE_MARK

    spec = place.run.sample
    model, vocabulary, _ = load_model(place.inputs["train"], device_of(place.settings.device))
    seeds = [spec.seed + number for number in range(spec.samples)]
    total = len(spec.temperatures) * spec.length
    written = []
    for turn, temperature in enumerate(spec.temperatures):
        blocks = []
        for block in sample(
            model, vocabulary, seeds=seeds, length=spec.length, temperature=temperature
        ):
            blocks.append(block)
            done = turn * spec.length + sum(block.shape[1] for block in blocks)
            yield Update(done / total, f"temperature {temperature:g}, {len(seeds)} at once")
        streams = list(np.concatenate(blocks, axis=1))
        bits = sample_surprisals(model, vocabulary, streams)
        written += [
            Sample(
                seed=seed,
                temperature=temperature,
                prompt=FILE_MARK,
                continuation=vocabulary.decode(ids),
                surprisal=surprisal.tolist(),
            )
            for seed, ids, surprisal in zip(seeds, streams, bits, strict=True)
        ]
    write_samples(place.directory, written)
    return {"samples": len(written), "characters": len(written) * spec.length}


def write_one(
    model_folder: Path, *, device: str, prompt: str, temperature: float, length: int, seed: int
) -> Iterator[str]:
    """Write one text, piece by piece; file marks come out as blank lines around a rule.

    Raises:
        OptionError: a prompt that the model cannot read, or a number out of range.
    """
    from modeling.checkpoint import load_model
    from modeling.sampling import sample

    model, vocabulary, _ = load_model(model_folder, device_of(device))
    try:
        blocks = sample(
            model,
            vocabulary,
            seeds=[seed],
            length=length,
            temperature=temperature,
            prompt=prompt,
            block_length=16,
        )
    except ValueError as error:
        raise OptionError(str(error)) from None
    return (_printable(vocabulary.decode(block[0])) for block in blocks)


def _printable(text: str) -> str:
    """Text for a terminal: file marks as a rule, escapes made visible."""
    from modeling.vocab import FILE_MARK

    rule = "\n" + "-" * 20 + " end of file " + "-" * 20 + "\n"
    return "".join(
        rule if c == FILE_MARK else c if c in "\n\t" or c.isprintable() else repr(c)[1:-1]
        for c in text
    )


SAMPLE = Stage(name="sample", version=1, inputs=("train",), parameters=_parameters, work=_work)
