from pathlib import Path

import pyarrow.parquet as pq

from corpora.corpus.card import CARD, MAX_NOTES, write_card
from corpora.corpus.parquet import LEDGER, LEDGER_SCHEMA
from corpora.corpus.summary import CorpusSummary, Leak
from corpora.spec import DatasetSpec

SPEC = DatasetSpec.model_validate(
    {
        "title": "Letters",
        "language": "prose",
        "source": {"kind": "folder", "path": "."},
        "corpus": {"extensions": [".txt"]},
    }
)


def summary(notes: tuple[str, ...]) -> CorpusSummary:
    return CorpusSummary(
        digest="abc",
        seen=(3, 30),
        funnel=(),
        splits={},
        licenses={"MIT": 2, "unknown": 1},
        license_notes=notes,
        leak_before=Leak(files=0, characters=0),
        leak_after=Leak(files=0, characters=0),
    )


def card(folder: Path, notes: tuple[str, ...]) -> str:
    pq.write_table(LEDGER_SCHEMA.empty_table(), folder / LEDGER)
    write_card(folder, "letters", SPEC, summary(notes))
    return (folder / CARD).read_text(encoding="utf-8")


def test_the_card_shows_what_a_person_must_judge_about_licences(tmp_path):
    text = card(tmp_path, ('a: COPYING also says: "The files in <lib> differ."',))
    assert "- MIT: 2\n- unknown: 1" in text
    assert '- a: COPYING also says: "The files in &lt;lib&gt; differ."' in text


def test_the_card_counts_the_notes_that_it_does_not_show(tmp_path):
    notes = tuple(f"{number}: no licence file" for number in range(MAX_NOTES + 5))
    text = card(tmp_path, notes)
    assert f"- {MAX_NOTES - 1}: no licence file\n- ... and 5 more in `summary.json`" in text


def test_the_card_of_a_corpus_without_doubts_says_so(tmp_path):
    assert "No licence file says anything that a person should judge." in card(tmp_path, ())


def test_notes_are_stored_and_older_summaries_have_none(tmp_path):
    summary(("a: b",)).save(tmp_path)
    assert CorpusSummary.load(tmp_path) == summary(("a: b",))
    path = tmp_path / "summary.json"
    text = path.read_text(encoding="utf-8").replace('"license_notes"', '"other"')
    path.write_text(text, encoding="utf-8")
    assert CorpusSummary.load(tmp_path) == summary(())
