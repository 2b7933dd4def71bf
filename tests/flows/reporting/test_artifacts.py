"""The text of the artifacts, without a server."""

import re

import pytest

from corpora.corpus.summary import CorpusSummary, FunnelStep, Leak, SplitSize
from evaluation.report.index import IndexRow
from flows.planning.plan import Decision, Plan
from flows.reporting.artifact_purge import describe, page_of
from flows.reporting.artifacts import (
    MAX_BYTES,
    corpus_markdown,
    index_markdown,
    plan_markdown,
    shortened,
)
from tests.hostile import ALL
from tests.system.test_markdown import PARSER

NO_LEAK = Leak(files=0, characters=0)


def decision(stage, action, reason, seconds=None):
    return Decision(
        stage=stage, action=action, key="0123456789abcdef", reason=reason, seconds=seconds
    )


def test_a_plan_says_what_runs_why_and_how_long():
    plan = Plan(
        dataset="tiny",
        decisions=(
            decision("fetch", "reuse", "same input"),
            decision("corpus", "run", "max_bytes 9 -> 5", 40.0),
            decision("train", "run", "corpus will run again", 800.0),
        ),
    )
    text = plan_markdown(plan)
    assert "To run: corpus, train, about 14 min 0 s." in text
    assert "| reuse | fetch | same input |" in text
    assert r"| run | corpus | max\_bytes 9 -&gt; 5, about 40 s |" in text


def test_a_plan_with_nothing_to_do_says_so():
    plan = Plan(dataset="tiny", decisions=(decision("fetch", "reuse", "same input"),))
    assert "Everything is current: nothing to run." in plan_markdown(plan)


def test_nothing_in_a_cell_leaves_it_or_becomes_markup():
    reason = "a|b\n| c <script>alert(1)</script>"
    plan = Plan(dataset="tiny", decisions=(decision("fetch", "run", reason),))
    last = plan_markdown(plan).splitlines()[-1]
    assert last.startswith(r"| run | fetch | a\|b \| c &lt;script&gt;alert(1)")


@pytest.mark.parametrize("text", ALL)
def test_the_verdict_is_text_in_the_description_of_a_report(text, tmp_path):
    description = describe(f"On held-out files of {text} the LSTM needs", tmp_path)
    assert page_of(description) == tmp_path
    assert not re.search("<(?!/?p>)", PARSER.render(description))


def test_the_funnel_shows_every_rule_and_what_is_left():
    summary = CorpusSummary(
        digest="0",
        seen=(1200, 5_000_000),
        funnel=(
            FunnelStep(
                reason="too large",
                files_dropped=200,
                bytes_dropped=4_000_000,
                files_left=1000,
                bytes_left=1_000_000,
            ),
        ),
        splits={"train": SplitSize(documents=900, characters=900_000)},
        licenses={"MIT": 1000},
        leak_before=NO_LEAK,
        leak_after=NO_LEAK,
    )
    text = corpus_markdown("tiny", summary)
    assert "| in the source |  | 1,200 | 5.00 |" in text
    assert "| too large | 200 | 1,000 | 1.00 |" in text
    assert "| train | 900 | 900,000 |" in text
    assert "| MIT | 1,000 |" in text


def test_a_long_report_is_cut_at_a_line_and_says_where_the_whole_is(tmp_path):
    text = ("\u00e9" * 99 + "\n") * 4000
    short = shortened(text, tmp_path / "report.html")
    assert len(short.encode()) <= MAX_BYTES + 1000
    assert short.endswith(f"\n\n*Cut here: the whole report is {tmp_path / 'report.html'}*\n")
    assert short.startswith("\u00e9" * 99 + "\n")
    assert shortened("short\n", tmp_path) == "short\n"


def test_the_index_has_a_row_for_every_dataset_with_the_reason_of_its_state(monkeypatch):
    good = IndexRow(
        dataset="tiny",
        state="good",
        verdict="It is | good.",
        link="evaluate/tiny/0123/report.html",
        key="0123",
        bits=1.5,
        gain=0.25,
        created="2026-01-02 03:04",
    )
    rows = [good, IndexRow(dataset="other", state="failed", notes=["fetch failed"])]
    monkeypatch.delenv("CHARMILL_PAGES", raising=False)
    assert "| tiny | good |" in index_markdown(rows)
    monkeypatch.setenv("CHARMILL_PAGES", "1")
    text = index_markdown(rows)
    assert (
        "| [tiny](/charmill/tiny/report/0123) | good | 2026-01-02 03:04 | 1.500 | +0.250 "
        r"| It is \| good. |"
    ) in text
    assert "| other | failed |  |  |  | no report yet; fetch failed |" in text
