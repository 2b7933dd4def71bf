"""Our packages' warnings appear on the terminal, once."""

import logging
import os
import subprocess
import sys

import pytest

from flows.cli.bars import TerminalReporter, showing_warnings
from flows.server.prefect_settings import LOGGERS


def test_warnings_are_printed_while_stages_run_and_nothing_else_is(capsys):
    with showing_warnings(TerminalReporter(), LOGGERS):
        logging.getLogger("modeling.native").warning("no %s", "compiler")
        logging.getLogger("modeling.native").info("started")
        logging.getLogger("prefect").warning("of no concern")
    logging.getLogger("modeling.native").error("nobody asked")
    assert capsys.readouterr().err.splitlines() == ["no compiler"]


@pytest.mark.slow
@pytest.mark.parametrize(("native", "lines"), [("1", 1), ("0", 0)])
@pytest.mark.parametrize("cc", ["no-such-compiler", '"gcc'])
def test_a_run_without_a_compiler_says_so_once_and_ends_well(tiny, tmp_path, cc, native, lines):
    environment = {"CC": cc, "CHARMILL_NATIVE": native, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "run", "tiny"],
        env=os.environ | tiny.environment() | environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("native kernel") == lines
    assert "Traceback" not in done.stderr
