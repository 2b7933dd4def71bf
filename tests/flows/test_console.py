"""What reaches a terminal or a log: escaped, masked, short, whatever it is wrapped in."""

import io
import logging
import subprocess
import sys

import pytest
from rich.progress import Progress, TextColumn

from flows.cli.render import explanation, table
from flows.console import CleanConsole
from system.output import CleanRecord
from tests.hostile import ALL, RAW


def console(width: int = 120) -> tuple[CleanConsole, io.StringIO]:
    shown = io.StringIO()
    return CleanConsole(
        file=shown, highlight=False, soft_wrap=True, emoji=False, width=width
    ), shown


@pytest.mark.parametrize("text", ALL)
def test_hostile_text_is_harmless_in_lines_tables_and_progress(text):
    out, shown = console()
    out.print(text, markup=False)
    out.print(explanation({"path": text}), markup=False)
    out.print(table(("name",), [(text,)]))
    with Progress(TextColumn("{task.description}", markup=False), console=out) as bars:
        bars.add_task(text)
    assert not set(shown.getvalue()) & set(RAW)
    shown.getvalue().encode()


def test_markup_and_emoji_codes_are_shown_as_they_are():
    out, shown = console()
    out.print("[red]a:warning:b[/red]", markup=False)
    out.print(table(("name",), [("[bold]a:warning:b",)]))
    assert shown.getvalue().count("a:warning:b") == 2
    assert "[red]" in shown.getvalue()
    assert "[bold]" in shown.getvalue()


def test_the_consoles_own_colours_are_kept():
    shown = io.StringIO()
    out = CleanConsole(file=shown, force_terminal=True, color_system="standard")
    out.print("[red]a[/]")
    assert shown.getvalue() == "\x1b[31ma\x1b[0m\n"


def test_log_records_and_their_tracebacks_are_clean():
    secret = "https://user:c4n4ry@host/"
    error = ValueError(f"\x1b[2J {secret}")
    record = CleanRecord(
        *("httpx", logging.INFO, "x.py", 1, "GET %s %s", (secret, "\x1b[31m")),
        exc_info=(ValueError, error, None),
    )
    text = logging.Formatter("%(message)s").format(record)
    assert "c4n4ry" not in text
    assert "\x1b" not in text
    assert "ValueError" in text


def test_a_traceback_is_clean_and_the_exit_status_is_1():
    script = (
        "from system.output import clean_output; clean_output()\n"
        "raise KeyError('\\x1b[2J https://user:c4n4'+'ry@host/')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert "KeyError" in done.stderr
    assert "c4n4ry" not in done.stderr
    assert "\x1b" not in done.stderr
