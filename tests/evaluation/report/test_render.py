import dataclasses
import json
import re
import subprocess
import sys
from html import escape
from html.parser import HTMLParser

import matplotlib as mpl
import pytest
from markdown_it import MarkdownIt

from evaluation.errors import ReportError
from evaluation.report import render as report
from evaluation.results import CopiedSpan, LadderRow, Mark, Metric, ShownSample, Threat
from tests.evaluation.example import HOSTILE, example_evaluation, prose_evaluation

VOID = {"meta", "br", "input", "use", "path"}


class Page(HTMLParser):
    """The elements of a page, and whether they nest."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("reports") / "new" / "report"
    report.write_report(example_evaluation(), directory)
    return directory


@pytest.fixture(scope="module")
def page(written):
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def markdown_page(written):
    return (written / "report.md").read_text(encoding="utf-8")


def without_code(markdown):
    blocks = re.sub(r"^(`{3,})\n.*?^\1$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!`)(`+) .* \1(?!`)", "", blocks)


def test_a_report_is_three_files_within_their_limits(written):
    sizes = {path.name: path.stat().st_size for path in written.iterdir()}
    assert set(sizes) == {"report.html", "report.md", "report.json"}
    assert 100_000 < sizes["report.html"] < 3_000_000
    assert 50_000 < sizes["report.md"] < 500_000


def test_json_reads_back_as_the_same_evaluation(written):
    assert report.load_report(written / "report.json") == example_evaluation()


def test_texts_that_look_like_nothing_survive_the_round_trip(tmp_path):
    sample = ShownSample(
        seed=1, temperature=0.8, text="NA\ud800</", first_error=None, copied=[],
        surprisal=[1.0, 2.0, 3.0, 4.0, 5.0],
    )  # fmt: skip
    evaluation = example_evaluation(
        title="null", description="", language="NA", samples=[sample], licenses={"NA": 3, "": 1}
    )
    report.write_report(evaluation, tmp_path)
    assert report.load_report(tmp_path / "report.json") == evaluation


def test_json_names_its_schema_has_no_end_tag_and_one_record_per_line(written):
    text = (written / "report.json").read_text(encoding="utf-8")
    assert json.loads(text)["schema"] == "charmill-report/3"
    assert "</" not in text
    assert "<\\/script>" in text
    assert sum(line.startswith('{"characters": ') for line in text.splitlines()) == 200


@pytest.mark.parametrize("bits", [float("nan"), float("inf")])
def test_a_figure_that_is_not_finite_is_refused_before_anything_is_written(tmp_path, bits):
    row = LadderRow(name="LSTM", kind="model", bits_per_char=bits, bits_per_byte=1.0)
    with pytest.raises(ValueError, match="report: ladder: a figure is not finite"):
        report.write_report(example_evaluation(ladder=[row]), tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"[]", "unknown report schema None; known: charmill-report/3"),
        (b'{"schema": "charmill-report/9"}', "unknown report schema 'charmill-report/9'"),
        (b'{"schema": "charmill-report/3"}', "dataset: "),
    ],
)
def test_a_file_that_is_not_a_report_is_refused_in_one_line(tmp_path, text, complaint):
    path = tmp_path / "report.json"
    path.write_bytes(text)
    with pytest.raises(ReportError, match=re.escape(complaint)) as caught:
        report.load_report(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_report_that_is_missing_is_refused_in_one_line(tmp_path):
    path = tmp_path / "report.json"
    with pytest.raises(ReportError, match=re.escape(f"{path}: not readable: No such file")):
        report.load_report(path)


def test_the_page_tells_its_story_in_order(page):
    story = [
        '<p class="verdict">',
        'id="likelihood"',
        'id="validity"',
        'id="originality"',
        'aria-label="Metrics of the samples by temperature"',
        'id="training"',
        'id="corpus"',
        'id="samples"',
        'id="provenance"',
        'id="history"',
        'id="identity"',
        'id="threats"',
    ]
    places = [page.index(part) for part in story]
    assert places == sorted(places)


def test_the_page_nests_runs_nothing_and_loads_nothing(page):
    parsed = Page(page)
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "script" not in {tag for tag, _ in parsed.elements}
    for _, attributes in parsed.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "url(" not in page.replace("url(#", "")
    assert "@import" not in page


def test_hostile_text_is_text_in_every_field_of_the_page():
    span = CopiedSpan(start=0, end=3, path=HOSTILE, license='">' + HOSTILE)
    sample = ShownSample(
        seed=1, temperature=1.0, text=HOSTILE, first_error=Mark(offset=1, message='"' + HOSTILE),
        copied=[span], surprisal=[0.5] * len(HOSTILE),
    )  # fmt: skip
    base = example_evaluation()
    evaluation = example_evaluation(
        title=HOSTILE, description=HOSTILE, verdict=HOSTILE, licenses={HOSTILE: 1},
        notes=[HOSTILE], samples=[sample], cost={HOSTILE: HOSTILE}, identity={HOSTILE: HOSTILE},
        threats=[Threat(kind=HOSTILE, text=HOSTILE, remedy=HOSTILE, command=HOSTILE)],
        ladder=[dataclasses.replace(row, name=HOSTILE) for row in base.ladder],
        groups=[
            dataclasses.replace(
                group, name=HOSTILE, metrics={**group.metrics, HOSTILE: Metric(value=1.0, n=1)}
            )
            for group in base.groups
        ],
        funnel=[dataclasses.replace(step, reason=HOSTILE) for step in base.funnel],
        history=[dataclasses.replace(run, key=HOSTILE, preset=HOSTILE) for run in base.history],
    )  # fmt: skip
    pages = report.html(evaluation), report.markdown(evaluation)
    for text in pages:
        assert "<script" not in without_code(text)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\u27e8U+202E\u27e9" in text
    assert Page(pages[0]).open == []


def test_a_command_can_be_copied_from_the_markdown():
    command = "charmill run mine --set 'sample.temperatures=[1.0,1.1]' | tee `date`"
    threat = Threat(kind="degenerate samples", text="All.", remedy="Try", command=command)
    text = report.markdown(example_evaluation(threats=[threat]))
    html = MarkdownIt("commonmark").render(text)
    assert f"<code>{escape(command, quote=False)}</code>" in html


def test_few_units_are_counted_and_none_is_not_available(page, markdown_page):
    for text in (page, markdown_page):
        assert "7 of 9" in text
        assert "77.8 %" not in text
        assert "n/a" in text
        figures = text[: text.index("in the order of their seeds")]
        assert not re.search(r"\b(nan|None)\b", re.sub(r"<svg.*?</svg>", "", figures, flags=re.S))


def test_copies_errors_and_outcomes_are_named(page, markdown_page):
    for text in (page, markdown_page):
        assert "90 characters copied from json/decoder.py (PSF-2.0)" in text
        assert "(licence unknown)" in text
        assert "invalid syntax" in text
        assert "19 ok, 1 timeout" in text
    assert '<b class=fault title="First error: invalid syntax">' in page


def test_position_is_relative_to_floor_and_control(page):
    card = page[page.index("Functions that parse<span") :]
    rows = re.findall(r"<tr class=\"(\w+)\">.*?</tr>", card, re.DOTALL)[:5]
    figures = re.findall(r"<td>(-?\d\.\d\d)</td>", card)[:5]
    assert rows == ["floor", "model", "model", "model", "control"]
    assert figures == ["0.00", "0.77", "0.64", "0.39", "1.00"]


def test_the_same_evaluation_gives_the_same_bytes_and_leaves_matplotlib_alone(page, markdown_page):
    before = dict(mpl.rcParams)
    assert report.html(example_evaluation()) == page
    assert report.markdown(example_evaluation()) == markdown_page
    assert dict(mpl.rcParams) == before


def test_prose_has_a_report_without_validity():
    text = report.html(prose_evaluation())
    assert 'id="validity"' not in text
    assert "no error found" not in text
    assert "Copied from training text" in text
    assert 'aria-label="Bits per character of every predictor"' in text
    assert 'aria-label="Metrics of the samples by temperature"' not in text
    assert "## Validity" not in report.markdown(prose_evaluation())


def test_an_evaluation_with_nothing_optional_still_has_a_report():
    evaluation = example_evaluation(
        curve=[], funnel=[], licenses={}, notes=[], samples=[], groups=[], cost={}, history=[],
        headline=None, ladder=example_evaluation().ladder[-1:],
    )  # fmt: skip
    assert Page(report.html(evaluation)).open == []
    assert "1.648" in report.markdown(evaluation)


def test_many_long_samples_are_shortened_and_the_page_says_so():
    hard = "<\u202e" * 10_000
    sample = ShownSample(
        seed=1, temperature=1.0, text=hard, first_error=Mark(offset=19_999, message="late"),
        copied=[], surprisal=[0.5, 1.5] * 10_000,
    )  # fmt: skip
    evaluation = example_evaluation(samples=[sample] * 10)
    text = report.html(evaluation)
    assert 1_000_000 < len(text.encode()) < 3_000_000
    assert "more characters are omitted here" in text
    assert "(after the part that is shown)" in text
    assert len(report.markdown(evaluation).encode()) < 500_000


def test_markdown_tables_have_as_many_cells_as_columns(markdown_page):
    outside = without_code(markdown_page)
    tables = re.findall(r"(?:^\|.*\n)+", outside, re.MULTILINE)
    assert len(tables) == 9
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_markdown_escapes_what_would_break_a_table_or_a_fence():
    text = "x = 1\n```\n# not a heading\n````"
    sample = ShownSample(
        seed=1, temperature=1.0, text=text, first_error=None, copied=[], surprisal=[1.0] * len(text)
    )
    page = report.markdown(
        example_evaluation(samples=[sample], identity={"a|b": "two\nlines *bold*"})
    )
    assert "| a\\|b | two lines \\*bold\\* |" in page
    assert f"\n`````\n{text}\n`````\n" in page


def test_markdown_contains_pictures_but_neither_script_nor_inline_svg(markdown_page):
    assert markdown_page.count("](data:image/png;base64,") == 6
    assert "<svg" not in markdown_page
    assert "<script" not in without_code(markdown_page)


def test_the_report_needs_neither_torch_nor_prefect():
    kept_out = "{'torch', 'prefect', 'flows'}"
    code = f"import sys, evaluation.report.render; print({kept_out} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_charts_are_described_in_words_and_tables_have_no_empty_header(page):
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    assert "Crossed brackets per kB, by origin of the text" in labels
    assert not [label for label in labels if "_" in label or label.endswith("chart")]
    assert not re.search(r"<th[^>]*></th>", page)


def test_a_sample_that_is_one_unfinished_string_says_that_nothing_was_judged():
    text = "x = 1\n" + "words and words\n" * 100

    def shown(unfinished):
        sample = ShownSample(
            seed=0, temperature=0.8, text=text, first_error=None, copied=[],
            surprisal=[1.0] * len(text), unfinished=unfinished, degenerate=["mostly blank"],
        )  # fmt: skip
        evaluation = example_evaluation(samples=[sample])
        return report.html(evaluation), report.markdown(evaluation)

    for page in shown(6):
        assert "unfinished string or comment to the end: nothing could be judged" in page
        assert "no error found" not in page
        assert "mostly blank" in page
    for page in shown(len(text) // 2):
        assert "unfinished string or comment from line 51 to the end: its 803 characters" in page
    for page in shown(len(text) - 20):
        assert "unfinished" not in page
    assert "no error found" in shown(None)[0]


def test_the_rule_that_chose_the_samples_is_stated(page):
    assert "Of each temperature the first 2 in the order of their seeds; degenerate" in page
