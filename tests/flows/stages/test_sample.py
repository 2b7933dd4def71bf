import pytest

from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute
from modeling.inference import sampling

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
