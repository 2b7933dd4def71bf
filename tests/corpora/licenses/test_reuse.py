import pytest

from corpora.licenses.reuse import annotated_license, annotations

TOML = """
version = 1

[[annotations]]
path = "src/**"
SPDX-License-Identifier = "MIT"

[[annotations]]
path = ["src/*.c", 'odd\\*name']
precedence = "override"
SPDX-License-Identifier = ["GPL-2.0", "ISC OR MIT"]

[[annotations]]
path = "src/odd.h"
SPDX-License-Identifier = "MIT/GPL"

[[annotations]]
path = "**"
SPDX-FileCopyrightText = "2020 Ada"
"""
DEP5 = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2020 Ada
License: MIT

Files: doc/*.c
 lib/a?.c
Copyright: 2020 Ada
License: GPL-2.0-or-later
 The text may follow.

License: MIT
 Permission is hereby granted
"""


@pytest.mark.parametrize(
    ("path", "license_"),
    [
        ("src/a.h", "MIT"),
        ("src/deep/a.c", "MIT"),
        ("src/a.c", "GPL-2.0-only AND (ISC OR MIT)"),
        ("odd*name", "GPL-2.0-only AND (ISC OR MIT)"),
        ("odd-name", None),
        ("src/odd.h", "unreadable: MIT/GPL"),
        ("other.c", None),
    ],
)
def test_the_last_table_of_reuse_toml_that_matches_counts(path: str, license_: str | None):
    assert annotated_license(path, annotations({"REUSE.toml": TOML})) == license_


@pytest.mark.parametrize(
    ("path", "license_"),
    [
        ("a.c", "MIT"),
        ("doc/sub/a.c", "GPL-2.0-or-later"),
        ("lib/a1.c", "GPL-2.0-or-later"),
        ("lib/a10.c", "MIT"),
    ],
)
def test_the_older_form_of_reuse_is_read(path: str, license_: str):
    assert annotated_license(path, annotations({".reuse/dep5": DEP5})) == license_


@pytest.mark.parametrize("text", ["[[annotations", "annotations = 1", "[[annotations]]\nx = 1"])
def test_a_damaged_reuse_toml_makes_every_licence_unreadable(text: str):
    found = annotations({"REUSE.toml": text})
    assert annotated_license("a.c", found) == "unreadable: REUSE.toml"


def test_without_statements_there_is_no_licence():
    assert annotated_license("a.c", annotations({})) is None
