"""Small files, at least one for every filter, and a specification that keeps about half of them."""

import random

from tests.corpora.build.test_corpus import plain

WORDS = random.Random(3).choices(["tree", "leaf", "root", "walk", "node", "path"], k=400)
LETTERS = "ABCDEFGHIJKLMNOP"
TOKEN = "AKIA" + LETTERS
SPEC = {
    "extensions": [".py"],
    "exclude": [{"paths": ["tests/"], "reason": "tests"}],
    "max_bytes": 9_000,
    "split": {"validation": 0.2, "test": 0.2},
}


def prose(number: int, width: int = 60) -> str:
    """Comments, almost the same for every number, each less wide than `width`."""
    words = [f"{word}{place}" for place, word in enumerate(WORDS)]
    words[number * 7 % 400] = f"other{number}"
    lines = ["#"]
    for word in words:
        if len(lines[-1]) + len(word) >= width - 1:
            lines.append("#")
        lines[-1] += f" {word}"
    return "\n".join(lines) + "\n"


def distinct(name: str, number: int) -> str:
    """Lines that no other file has."""
    return "".join(f"{name}_{i} = '{name} {i * 37 % 101}'\n" for i in range(number))


FILES: dict[str, bytes] = plain(60) | {
    name: text.encode()
    for name, text in {
        "notes.txt": distinct("notes", 9),
        "tests/one.py": distinct("one", 9),
        "tests/two.py": distinct("two", 9),
        "vendor/lib.py": distinct("lib", 9),
        "wide.py": distinct("wide", 30) + "# " + "wide words " * 30 + "\n",
        "dense.py": "".join(f"d{i} = '{'dense ' * 24}'\n" for i in range(9)),
        "minified.py": "x=1;" * 700,
        "table.py": "0x1f, 12, 99,\n" * 200,
        "generated.py": "# This file is generated.\n" + distinct("made", 9),
        "gpl.py": "# SPDX-License-Identifier: GPL-2.0-only\n" + distinct("gpl", 9),
        "bsd.py": "# SPDX-License-Identifier: BSD-3-Clause\n" + distinct("bsd", 9),
        "token.py": distinct("token", 9) + f"key = '{TOKEN}'\n",
        "large.py": distinct("large", 300),
        "larger.py": distinct("larger", 600),
        "twin.py": distinct("lib", 9),
        **{f"near/copy{i}.py": prose(i) for i in range(7)},
    }.items()
}

CHANGES = {
    'extensions=[".py", ".txt"]': {"extension": (1, 0)},
    "include=['/*.py']": {
        "outside include": (0, 10),
        "tests": (2, 0),
        "duplicate": (1, 0),
        "near-duplicate": (5, 0),
    },
    "exclude=[]": {"tests": (2, 0)},
    "max_bytes=4000": {"too large": (1, 2)},
    "max_bytes=100_000": {"too large": (1, 0)},
    "text.max_line=200": {"long lines": (1, 2)},
    "text.max_mean_line=100": {"long lines": (1, 2)},
    "text.max_line=0; text.max_mean_line=0": {"long lines": (1, 0)},
    "text.min_letters=0": {"table": (1, 0)},
    "text.generated=false": {"generated": (1, 0)},
    "text.vendored=drop": {"vendored": (0, 1), "duplicate": (1, 0)},
    "text.secrets=false": {"secret": (1, 0)},
    'text.license.allow=["MIT"]': {"licence": (0, 2)},
    'text.license.deny=["GPL-2.0-only"]': {"licence": (0, 1)},
    "near_duplicates=drop": {"near-duplicate": (5, 6)},
    "near_duplicates=ignore": {"near-duplicate": (5, 0)},
}
"""Changes of SPEC: files that rules drop before and after. Other rules drop what they dropped."""
