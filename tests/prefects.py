"""Run the tests of what charmill needs of Prefect with both ends of the range in pyproject.toml.

    python -m tests.prefects [--short]

The upper end is the version at hand, that of the lock. The lower end gets an environment in .venv,
which takes everything else from the one at hand. With --short only the lower end is tested, by some
of the tests. Exit status 1 if tests failed with either.
"""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
RANGE = re.compile(r'"prefect>=([0-9.]+),<[0-9.]+"')
NEEDED = ("sqlalchemy<2.1", "whenever<0.11")
"""By the lower end, where the lock has newer ones; see `flows.server.prefect_settings`."""
SERVED = "tests/flows/orchestration"
SHORT_TESTS = (
    "tests/flows/server/corrections",
    "tests/flows/server/test_versions.py",
    f"{SERVED}/test_requests.py",
    f"{SERVED}/test_schedules.py",
    f"{SERVED}/test_serve.py::test_a_schedule_that_was_made_before_a_restart_fires_after_it",
    f"{SERVED}/test_tasks.py::test_retry_of_a_cancelled_run_goes_on_at_the_checkpoint",
    f"{SERVED}/waiting/test_gate.py",
    "tests/flows/reporting/test_history.py",
)
ALL_TESTS = (
    SERVED,
    "tests/flows/reporting",
    "tests/flows/retention",
    "tests/flows/server",
    "tests/browser",
)


def main(short: bool) -> int:
    """Run the tests at both ends, and return the exit status."""
    ends = {"lower": lower_end()} | ({} if short else {"upper": Path(sys.executable)})
    tests = SHORT_TESTS if short else ALL_TESTS
    statuses = []
    for end, python in ends.items():
        sys.stdout.write(f"\n== Prefect {_version(python)}, the {end} end\n")
        sys.stdout.flush()
        command = [str(python), "-m", "pytest", *tests]
        statuses.append(subprocess.run(command, cwd=ROOT, env=_here(), check=False).returncode)
    return int(any(statuses))


def lower_end() -> Path:
    """The Python of an environment with the oldest Prefect that pyproject.toml allows."""
    found = RANGE.search((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert found, "pyproject.toml names no range of Prefect"
    home = ROOT / ".venv" / f"prefect-{found[1]}"
    python = home / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--no-deps", f"prefect=={found[1]}", *NEEDED], check=True)
    # After its own packages, which therefore win.
    packages = home / sysconfig.get_path("purelib", vars={"base": "."})
    others = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "others.pth").write_text(others, encoding="utf-8")
    return python


def _version(python: Path) -> str:
    check = "from importlib.metadata import version as v; print(v('prefect'), v('sqlalchemy'))"
    return subprocess.run(
        [python, "-c", check], check=True, capture_output=True, text=True
    ).stdout.strip()


def _here() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    sys.exit(main("--short" in sys.argv[1:]))
