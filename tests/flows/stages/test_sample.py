import logging

import pytest

from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import StageContext, execute
from modeling.checkpoint import save_model
from modeling.config import ModelConfig, TrainConfig
from modeling.inference import sampling
from modeling.inference.samples import read_samples
from modeling.models import build_model
from modeling.vocab import LARGE, Vocabulary

TEMPERATURES = [0.5, 0.8, 1.0]


def test_sampling_goes_on_behind_the_temperatures_that_are_done(tiny, monkeypatch):
    run, keys = tiny.run(overrides=(f"sample.temperatures={TEMPERATURES}",)), {}

    def made(stage, *, force=False):
        inputs = stage.choose(keys)
        reporter = LogReporter()
        return execute(stage, run, inputs, settings=tiny.settings, reporter=reporter, force=force)

    for stage in STAGES[:4]:
        keys[stage.name] = made(stage).key
    undisturbed = tiny.store.runs("sample", "tiny").run(keys["sample"]).folder
    begun, whole = [], sampling.sample

    def interrupted(model, vocabulary, seeds, settings):
        temperature = settings.temperature
        begun.append(temperature)
        if begun.count(temperature) == 1 and temperature > min(TEMPERATURES):
            raise KeyboardInterrupt
        return whole(model, vocabulary, seeds, settings)

    monkeypatch.setattr(sampling, "sample", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            made(STAGES[3], force=True)
    disturbed = tiny.store.runs("sample", "tiny").run(made(STAGES[3], force=True).key).folder
    assert begun == [0.5, 0.8, 0.8, 1.0, 1.0]
    assert disturbed != undisturbed
    names = {"samples.parquet", "manifest.json"}
    assert {path.name for path in disturbed.iterdir()} == names
    content = [
        folder.joinpath("samples.parquet").read_bytes() for folder in (disturbed, undisturbed)
    ]
    assert content[0] == content[1]


def test_samples_of_a_large_vocabulary_are_shorter_and_the_log_says_so(tiny, tmp_path, caplog):
    vocabulary = Vocabulary(tuple(map(chr, range(0x4E00, 0x4E00 + 4 * LARGE - 2))))
    config = TrainConfig(model=ModelConfig(embedding_size=8, hidden_size=8, num_layers=1))
    save_model(tmp_path, config, vocabulary, build_model(config.model, vocabulary.size))
    output = tiny.store.runs("sample", "tiny").run("00000000")
    output.work.mkdir(parents=True)
    context = StageContext(
        run=tiny.run(), settings=tiny.settings, inputs={"train": tmp_path}, output=output
    )
    with caplog.at_level(logging.WARNING):
        list(STAGES[3].work(context))
    assert [len(sample.continuation) for sample in read_samples(output.work)] == [50, 50]
    assert "20000 characters: samples of 50 characters instead of 200" in caplog.text
