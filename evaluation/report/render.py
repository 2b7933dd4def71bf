"""One evaluation as report.html, report.md and report.json.

The HTML is one file without scripts, external links or resources to load. Every string is escaped
when it is inserted into a page, and a content security policy forbids scripts in any case. The same
evaluation gives the same bytes.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from pydantic import TypeAdapter, ValidationError

from evaluation.errors import ReportError
from evaluation.metrics import catalogue
from evaluation.report import compare, marking, plots, view
from evaluation.results import Evaluation, ShownSample
from system.clock import duration, moment
from system.display import visible

SCHEMA = "charmill-report/3"
MAX_HTML_BYTES = 3_000_000
MAX_MARKDOWN_BYTES = 500_000
DESCRIPTIONS = {
    "ladder": "Bits per character of every predictor",
    "sweep": "Metrics of the samples by temperature",
    "curve": "Bits per character in the course of training",
    "funnel": "Megabytes of text left after every rule",
}
"""What screen readers say of each chart."""
_HTML_CHARACTERS = (20_000, 10_000, 5_000, 2_000, 500, 0)
_MARKDOWN_CHARACTERS = (2_000, 1_000, 500, 0)
_MARKDOWN_MEANING = re.compile(r"([\\`*_\[\]|~#])")
_EVALUATION = TypeAdapter(Evaluation)


def write_report(evaluation: Evaluation, directory: Path) -> None:
    """Write report.html, report.md and report.json into `directory`.

    Raises:
        ValueError: a figure is not finite.
    """
    pages = {
        "report.json": _json(evaluation),
        "report.html": html(evaluation),
        "report.md": markdown(evaluation),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (directory / name).write_text(text, encoding="utf-8", newline="\n")


def load_report(path: Path) -> Evaluation:
    """Read report.json back; surprisal is rounded to 0.001 bits.

    Raises:
        ReportError: the file cannot be read, or is not a report of this schema.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path}: not readable: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: not JSON: {error}") from error
    schema = record.pop("schema", None) if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise ReportError(f"{path}: unknown report schema {schema!r}; known: {SCHEMA}")
    try:
        return _EVALUATION.validate_python(record)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ReportError(f"{path}: {place}: {first['msg']}") from error


def html(evaluation: Evaluation) -> str:
    """Render the page; long samples are shortened until it is smaller than 3 MB."""
    shown = view.View(evaluation)
    pictures = {name: _svg(name, draw) for name, draw in _charts(shown).items()}
    for key in filter(shown.is_counted, shown.validity_keys):
        figure = plots.strip_chart(key, shown.groups)
        label = catalogue.meaning_of(key).label
        pictures[key] = _trusted(plots.to_svg(figure, key, f"{label}, by origin of the text"))
    return _rendered("report.html.j2", shown, pictures, _HTML_CHARACTERS, MAX_HTML_BYTES)


def markdown(evaluation: Evaluation) -> str:
    """Render as Markdown with embedded pictures, smaller than 500 kB."""
    shown = view.View(evaluation)
    charts = _charts(shown)
    for key in filter(shown.is_counted, shown.validity_keys[:2]):
        charts[key] = partial(plots.strip_chart, key, shown.groups)
    pictures = {
        name: _trusted(plots.to_data_uri(draw(plots.WIDE))) for name, draw in charts.items()
    }
    return _rendered("report.md.j2", shown, pictures, _MARKDOWN_CHARACTERS, MAX_MARKDOWN_BYTES)


def _json(evaluation: Evaluation) -> str:
    """One record per line, so that two reports can be compared line by line."""
    samples = [_rounded(sample) for sample in evaluation.samples]
    record = _EVALUATION.dump_python(replace(evaluation, samples=samples))
    fields = {"schema": SCHEMA, **record}
    lines = [f"{json.dumps(key)}: {_value_lines(key, value)}" for key, value in fields.items()]
    # "</" would end the script element of a page that embeds the record.
    return ("{\n" + ",\n".join(lines) + "\n}\n").replace("</", "<\\/")


def _rounded(sample: ShownSample) -> ShownSample:
    return replace(sample, surprisal=[round(bits, 3) for bits in sample.surprisal])


def _value_lines(key: str, value: Any) -> str:
    try:
        if not isinstance(value, list | tuple):
            return json.dumps(value, allow_nan=False)
        return "[\n" + ",\n".join(json.dumps(item, allow_nan=False) for item in value) + "\n]"
    except ValueError as error:
        raise ValueError(f"report: {key}: a figure is not finite") from error


def _charts(shown: view.View) -> dict[str, Callable[[float], Figure]]:
    """The charts of this evaluation by name, without those that have no data."""
    report = shown.report
    charts: dict[str, Callable[[float], Figure]] = {
        "ladder": lambda width: plots.ladder_chart(shown.static_rows, width)
    }
    if shown.sweep_keys:
        charts["sweep"] = lambda width: plots.sweep_chart(shown.sweep_keys, shown.groups, width)
    if report.curve:
        charts["curve"] = lambda width: plots.curve_chart(report.curve, width)
    if report.funnel:
        charts["funnel"] = lambda width: plots.funnel_chart(report.funnel, width)
    return charts


def _svg(name: str, draw: Callable[[float], Figure]) -> Markup:
    """A chart in two widths; the page shows the one that fits."""
    wide, narrow = (
        plots.to_svg(draw(width), f"{name} {size}", DESCRIPTIONS[name])
        for width, size in ((plots.WIDE, "wide"), (plots.NARROW, "narrow"))
    )
    return _trusted(f"<div class=wide>{wide}</div><div class=narrow>{narrow}</div>")


def _rendered(
    template: str, shown: view.View, pictures: dict, sizes: Sequence[int], max_bytes: int
) -> str:
    """Render with as many characters of each sample as fit into `max_bytes`."""
    page = ""
    for characters in sizes:
        page = (
            environment(template)
            .get_template(template)
            .render(report=shown.report, view=shown, pictures=pictures, characters=characters)
        )
        if len(page.encode()) < max_bytes:
            break
    return page


def environment(template: str) -> Environment:
    """An environment that escapes every value for the language of `template`."""
    environment = Environment(
        loader=PackageLoader("evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_for_html if template.endswith(".html.j2") else _for_markdown,
    )
    figures = (view.bits, view.share, view.count, view.amount)
    formats = (*figures, view.megabytes, duration, moment, view.outcomes)
    environment.filters.update({function.__name__: function for function in formats})
    environment.filters |= {"fenced": _fenced, "code": _code}
    metrics = (catalogue.meaning_of, catalogue.value_text, catalogue.interval_text)
    metrics += (catalogue.rule_label,)
    marks = (marking.shown_part, marking.line_of, marking.copies_of)
    rendered = (view.unfinished_part, marking.marked_html, marking.marked_plain)
    for function in (*metrics, *marks, *rendered):
        environment.globals[function.__name__] = function
    environment.globals["change_summary"] = compare.summary
    environment.globals["surprisal_steps"] = marking.SURPRISAL_STEPS
    return environment


def _for_html(value: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return escape(visible(value))


def _for_markdown(value: Any) -> Any:
    """Escape Markdown and HTML, and join lines: a newline would end the table row."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    line = visible(" ".join(value.split()))
    return escape(_MARKDOWN_MEANING.sub(r"\\\1", line))


def _fenced(text: str) -> Markup:
    """A code block in Markdown."""
    fence = _fence(text, 3)
    return _trusted(f"{fence}\n{text}\n{fence}")


def _code(text: str) -> Markup:
    """A line of code in Markdown, where nothing need be escaped."""
    fence = _fence(text, 1)
    return _trusted(f"{fence} {visible(' '.join(text.split()))} {fence}")


def _fence(text: str, least: int) -> str:
    """Backquotes, more than there are anywhere in a row in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


def _trusted(text: str) -> Markup:
    """Mark text as safe: it was generated here, or the fence around it makes it harmless."""
    return Markup(text)  # noqa: S704
