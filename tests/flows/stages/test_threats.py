import json

from flows.progress import LogReporter
from flows.stages.table import STAGES
from flows.store.stage import execute


def test_report_and_manifest_of_a_run_name_the_same_threats_with_its_own_commands(tiny):
    run, keys = tiny.run(), {}
    for stage in STAGES:
        inputs = stage.choose(keys)
        made = execute(stage, run, inputs, settings=tiny.settings, reporter=LogReporter())
        keys[stage.name] = made.key
    published = tiny.store.runs("evaluate", "tiny").run(keys["evaluate"])
    report = json.loads((published.folder / "report.json").read_text(encoding="utf-8"))
    grave = [threat for threat in report["threats"] if not threat["is_general"]]
    named = [f"{threat['kind']}: {threat['text']}" for threat in grave]
    assert published.manifest.summary["warnings"] == named
    few = next(threat for threat in grave if threat["kind"] == "few held-out files")
    assert few["command"] == "charmill run tiny --set corpus.split.test=0.2"
    assert report["threats"][-1]["kind"] == "version of Python"
