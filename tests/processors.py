"""Run the tests of modeling as on other processors: narrower vectors, another BLAS, no kernel.

    python -m tests.processors [--short]

torch, oneDNN, MKL and the compiler choose their code by what the processor can, and each can be
restricted; MKL, which uses its best code only on Intel's processors, can also be made to assume
one. Features that a processor lacks cannot be imitated. Prints a table, whose second column lists
the results of a probe whose bits differ from those without the setting: where there are none, the
setting had no effect here. Exit status 1 if tests failed under a setting.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CC = os.environ.get("CC", "cc")
AS_IT_IS = "as it is"
SETTINGS: dict[str, dict[str, str]] = {
    AS_IT_IS: {},
    "torch without vectors": {"ATEN_CPU_CAPABILITY": "default"},
    "torch with AVX2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "torch with AVX-512": {"ATEN_CPU_CAPABILITY": "avx512"},
    "oneDNN with SSE 4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "oneDNN with AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "MKL of Intel": {"LD_PRELOAD": "intel"},
    "MKL of Intel with AVX2": {"LD_PRELOAD": "intel", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "MKL of Intel with SSE 4.2": {"LD_PRELOAD": "intel", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "kernel with AVX2": {"CC": f"{CC} -mno-avx512f"},
    "kernel with SSE 2": {"CC": f"{CC} -mno-avx"},
    "no kernel": {"CHARMILL_NATIVE": "0"},
    "oldest of all": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "LD_PRELOAD": "intel",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "CC": f"{CC} -mno-avx",
    },
}
SHORT = ("MKL of Intel", "kernel with AVX2", "oldest of all")
SHORT_TESTS = (
    *("inference/test_sampling", "inference/test_likelihood"),
    *("models/test_lstm", "training/test_trainer"),
)
ALL_TESTS = (
    *SHORT_TESTS,
    *("engines/test_learner", "inference/test_arithmetic_coder"),
    *("inference/test_dynamic_evaluation", "models/test_ngrams", "native/test_mixed_products"),
    *("native/test_native", "training/test_fine_tune", "training/test_kill"),
)
"""Of tests/modeling, those whose results a processor can change."""
INTEL = "int mkl_serv_intel_cpu(void) { return 1; } int mkl_serv_intel_cpu_true(void) { return 1; }"
PROBE = """
import torch
from modeling.native.library import library
torch.manual_seed(0)
x = torch.randn(40, 264)
results = {
    "products": x @ torch.randn(1056, 264).T,
    "functions": x.tanh(),
    "torch's LSTM": torch.nn.LSTM(264, 16)(x)[0].detach(),
}
if library():
    results["kernel"] = torch.empty(3, x.numel())
    library().evaluate(x.numel(), x.data_ptr(), *(row.data_ptr() for row in results["kernel"]))
for name, result in results.items():
    print(name, hash(result.numpy().tobytes()), sep="\\t")
"""


def main(short: bool) -> int:
    """Run the tests under every setting, print the results, and return the exit status."""
    tests = [f"tests/modeling/{name}.py" for name in (SHORT_TESTS if short else ALL_TESTS)]
    with tempfile.TemporaryDirectory() as folder:
        intel = _intel_library(Path(folder))
        usual, rows = _bits(SETTINGS[AS_IT_IS]), []
        for name in SHORT if short else SETTINGS:
            variables = dict(SETTINGS[name])
            if variables.get("LD_PRELOAD") == "intel":
                variables["LD_PRELOAD"] = intel
            bits, began = _bits(variables), time.monotonic()
            other = [result for result in usual if bits.get(result) != usual[result]]
            _say(f"\n== {name}: {' '.join(f'{k}={v!r}' for k, v in variables.items())}")
            command = [sys.executable, "-m", "pytest", "-n", "2", "-m", "not slow", *tests]
            status = subprocess.run(command, cwd=ROOT, env=_with(variables), check=False).returncode
            took = f"{time.monotonic() - began:.0f} s"
            rows.append((name, ", ".join(other) or "none", "FAILED" if status else "passed", took))
    for row in (("setting", "other bits", "tests", "took"), *rows):
        _say(f"{row[0]:<28}{row[1]:<48}{row[2]:<10}{row[3]}")
    return int(any(row[2] == "FAILED" for row in rows))


def _intel_library(folder: Path) -> str:
    """Compile a library that makes MKL assume an Intel processor."""
    (folder / "intel.c").write_text(INTEL)
    made = folder / "intel.so"
    command = [*CC.split(), "-shared", "-fPIC", folder / "intel.c", "-o", made]
    subprocess.run(command, check=True)
    return str(made)


def _bits(variables: dict[str, str]) -> dict[str, str]:
    """Results of the probe under these variables, by name."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=ROOT,
        env=_with(variables) | {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.split("\t") for line in done.stdout.splitlines())
    return dict(lines)


def _with(variables: dict[str, str]) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)} | variables


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main("--short" in sys.argv[1:]))
