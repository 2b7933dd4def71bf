"""Hostile text may kill a worker, never its parent."""

import os
import signal
import subprocess
import sys

import pytest

from evaluation.errors import ScoreError
from evaluation.languages import LANGUAGES
from evaluation.results import Tally
from evaluation.scoring.sandbox import Shape, score_all, score_each
from tests.processes import is_running, until

FAKE = """
import os, signal, sys, time
from evaluation.languages import prose
from evaluation.scoring import sandbox
from evaluation.results import TextScore, Tally

class Fake:
    def score(self, text, from_start=False):
        if text == "sleep":
            time.sleep(10_000)
        if text == "spin":
            while True: pass
        if text == "work":
            end = time.process_time() + 0.2
            while time.process_time() < end: pass
        if text == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if text == "raise":
            raise ValueError("planted")
        if text == "deep":
            self.score(text)
        if text == "memory":
            bytearray(2**31)
        if text == "torch":
            return TextScore(tallies={"torch": Tally("torch" in sys.modules, 1)})
        return TextScore(tallies={"pid": Tally(os.getpid(), 1)})

prose.SCORER = Fake()
sandbox.WALL_FACTOR = int(os.environ.get("WALL_FACTOR", sandbox.WALL_FACTOR))
sandbox.serve()
"""
COMMAND = (sys.executable, "-c", FAKE)


def outcomes(*texts: str, seconds: float = 5.0) -> list[str]:
    return [s.outcome for s in score_all("prose", texts, seconds=seconds, command=COMMAND)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_worker_returns_the_score_of_the_scorer(language):
    texts = ["", "f(a]\n", "def f(:\n  é = '\ud800'\n\uffff", "x" * 100_000]
    scorer = LANGUAGES[language].scorer
    assert list(score_all(language, texts)) == [scorer.score(text) for text in texts]
    files = score_all(language, texts, shape="file")
    assert list(files) == [scorer.score_file(text) for text in texts]


def test_two_workers_share_the_texts_and_the_scores_keep_their_order():
    words = ("a", "b", "segfault", "c", "d", "raise", "e")
    texts: list[tuple[Shape, str]] = [("sample", text) for text in words]
    found = list(score_each("prose", texts, workers=2, command=COMMAND))
    assert [s.outcome for s in found] == ["ok", "ok", "crash", "ok", "ok", "bug", "ok"]
    pids = [s.tallies["pid"].amount for s in found if s.outcome == "ok"]
    assert pids[0] != pids[1]
    assert pids[1] == pids[2]
    assert pids[3] not in pids[:3]


def test_a_file_can_be_scored_without_the_opinion_of_a_grammar():
    text = "int f(void)\n{\n    return 1;\n}\n"
    parsed, unparsed = score_each("c", [("file", text), ("file unparsed", text)])
    assert parsed.tallies["unit_parse_rate"] == Tally(1, 1)
    assert parsed.tallies.keys() - unparsed.tallies.keys() == {"unit_parse_rate"}


def test_a_text_that_takes_too_long_times_out_and_the_next_one_is_scored():
    assert outcomes("a", "spin", "b", seconds=0.3) == ["ok", "timeout", "ok"]


def test_a_text_that_waits_for_ever_times_out_too(monkeypatch):
    monkeypatch.setenv("WALL_FACTOR", "2")
    assert outcomes("sleep", "sleep", seconds=0.2) == ["timeout", "timeout"]


@pytest.mark.parametrize("killer", ["segfault", "memory", "deep"])
def test_a_text_that_kills_the_worker_is_a_crash_and_the_next_one_is_scored(killer):
    assert outcomes("a", killer, killer, "b") == ["ok", "crash", "crash", "ok"]


def test_an_exception_in_a_scorer_is_a_bug_with_its_traceback(capfd):
    assert outcomes("raise", "b") == ["bug", "ok"]
    assert "ValueError: planted" in capfd.readouterr().err


def test_a_worker_lives_as_long_as_its_texts_are_harmless():
    pids = {s.tallies["pid"].amount for s in score_all("prose", "abc", command=COMMAND)}
    assert len(pids) == 1


def test_a_clock_runs_for_each_text_and_not_for_all():
    assert outcomes(*["work"] * 8, seconds=0.8) == ["ok"] * 8


def test_a_worker_ends_when_nobody_wants_more_scores():
    scores = score_all("prose", iter("ab"), command=COMMAND)
    pid = int(next(scores).tallies["pid"].amount)
    scores.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def test_a_worker_ends_with_its_parent():
    parent = (
        "import sys, os, signal\n"
        "from evaluation.scoring.sandbox import score_all\n"
        f"scores = score_all('prose', 'ab', command=(sys.executable, '-c', {FAKE!r}))\n"
        "print(int(next(scores).tallies['pid'].amount), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", parent], stdout=subprocess.PIPE, check=False)
    pid = int(done.stdout)
    until(lambda: not is_running(pid))


def test_a_worker_loads_no_torch():
    (score,) = score_all("prose", ["torch"], command=COMMAND)
    assert score.tallies == {"torch": Tally(0, 1)}


def test_an_f_string_of_a_hundred_thousand_fields_times_out():
    text = 'x = f"' + "{a}" * 100_000 + '"\n'
    scores = list(score_all("python", [text, "x = 1\n"], shape="file", seconds=0.5))
    assert [score.outcome for score in scores] == ["timeout", "ok"]


def test_an_unknown_language_is_the_users_mistake():
    with pytest.raises(ScoreError, match="no language 'cobol'; known: python, c"):
        next(score_all("cobol", ["a"]))
