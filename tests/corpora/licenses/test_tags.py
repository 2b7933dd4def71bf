import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.licenses.spdx import LicensePolicy
from corpora.licenses.tags import stated_license

TAG = "SPDX-License-Identifier:"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"// {TAG} GPL-2.0\n", "GPL-2.0-only"),
        (f"/* {TAG} (GPL-2.0+ OR MIT) */\n", "GPL-2.0-or-later OR MIT"),
        (f"<!-- {TAG} MIT -->\n", "MIT"),
        (f"{{{{!-- {TAG} MIT --}}}}", "MIT"),
        (f"{{# {TAG} MIT #}}", "MIT"),
        (f"(* {TAG} (MIT OR ISC) *)", "MIT OR ISC"),
        (f"; {TAG} MIT", "MIT"),
        (f"-- {TAG} MIT", "MIT"),
        (f"dnl {TAG} MIT", "MIT"),
        (f'.\\" {TAG} MIT', "MIT"),
        (f'" {TAG} MIT', "MIT"),
        (f"/* {TAG} MIT */ int x;", "MIT"),
        (f"# {TAG} MIT        #\n", "MIT"),
        (f"# {TAG} MIT\r\n", "MIT"),
        (f"# {TAG}MIT", "MIT"),
        (f"# {TAG} LicenseRef-ours\n", "LicenseRef-ours"),
        (f"# {TAG} GPL-2.0 WITH Linux-syscall-note\n", "GPL-2.0-only WITH Linux-syscall-note"),
        (f"/* {TAG} GPL-2.0 or Linux-OpenIB */", "GPL-2.0-only OR Linux-OpenIB"),
        (
            f"/* {TAG} ((GPL-2.0 WITH Linux-syscall-note) AND GPL-2.0-only) */",
            "GPL-2.0-only WITH Linux-syscall-note AND GPL-2.0-only",
        ),
        (
            f"/* {TAG} ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */",
            "GPL-2.0-only WITH Linux-syscall-note OR BSD-3-Clause",
        ),
        (f"# Copyright 2020 Ada, {TAG} MIT", "MIT"),
        (f'"""{TAG} MIT"""\n', "MIT"),
        (f'"""\nA module.\n\n{TAG} MIT\n"""\n', "MIT"),
        ("\n" * 3000 + f"# {TAG} MIT\n", "MIT"),
    ],
)
def test_the_forms_of_reuse_and_of_the_kernel_are_read(text: str, expected: str):
    assert stated_license(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "# spdx-license-identifier: apache-2.0",
        "// SPDX-license-identifier: Apache-2.0",
        "//SPDX-License-Identifer: Apache-2.0",
        "// SPDX-License: Apache-2.0.",
        "// SPDX License Identifier: Apache-2.0",
        "# SPDX-License-Identifier=Apache-2.0",
        "// SPDX-License-Identifier Apache-2.0",
        f"<?php // {TAG} Apache-2.0 ?>",
        f"<?php /* {TAG} Apache-2.0 */",
    ],
)
def test_a_mistyped_tag_is_not_passed_over_in_favour_of_the_sources_licence(text: str):
    assert stated_license(text) == "Apache-2.0"


@pytest.mark.parametrize("quote", ['"', "'", "`"])
def test_quotes_around_a_tag_or_its_expression_are_no_part_of_it(quote: str):
    assert stated_license(f"# {TAG} {quote}MIT{quote}\n") == "MIT"
    assert stated_license(f"# {quote}{TAG} MIT{quote}\n") == "MIT"


@pytest.mark.parametrize(
    "text",
    [
        f"# {TAG} (MIT OR\n#   ISC)\ncode",
        f"/* {TAG} (MIT OR\n    ISC)\n */",
        f"/* {TAG} MIT OR\n *    ISC */",
        f"# {TAG} MIT\n#    OR ISC\n# more",
        f"# {TAG}\n# MIT OR ISC\n",
        f'"""\n{TAG} MIT OR\n  ISC\n"""',
    ],
)
def test_an_expression_goes_over_several_lines_of_a_comment(text: str):
    assert stated_license(text) == "MIT OR ISC"


def test_several_tags_all_count():
    text = f"# {TAG} MIT OR ISC\n# {TAG} GPL-2.0+\n# {TAG} MIT OR ISC\n"
    assert stated_license(text) == "(MIT OR ISC) AND GPL-2.0-or-later"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"// {TAG} MIT/GPL-2.0-only\n", "MIT/GPL-2.0-only"),
        (f"// {TAG} MIT, GPL-2.0-only\n", "MIT, GPL-2.0-only"),
        (f"{TAG}\nimport os\n", "(empty)"),
        (f"# {TAG}\nimport os\n", "(empty)"),
        (f"# {TAG} MIT OR\nimport os\n", "MIT OR"),
        (f"# {TAG} Proprietary\n", "Proprietary"),
        (f"# {TAG} MIT see the file LICENSE\n", "MIT see the file LICENSE"),
        (f"# {TAG} (MIT\n", "(MIT"),
        (f"# {TAG} MIT\n# {TAG} bogus\n", "bogus"),
        (f"# {TAG} {'x' * 200}\n", "x" * 100),
    ],
)
def test_a_tag_that_cannot_be_read_is_shown_as_such(text: str, words: str):
    assert stated_license(text) == f"unreadable: {words}"


@pytest.mark.parametrize(
    "text",
    [
        "no tag\n",
        f'"""Reads {TAG} MIT from files."""',
        f"# every file begins with {TAG} MIT, says the style guide",
        f"# {TAG} lines must come first",
        "# an\n# SPDX-License-Identifier comment comes first",
        "# SPDX license identifiers: https://spdx.org/licenses/",
        'SPDX_LICENSE = "MIT"\n',
        '    "SPDX-license-identifier-Apache-2.0",\n',
        f'tag = "{TAG} MIT"\n',
        f'TAGS = [\n    "{TAG} MIT",\n]\n',
        f"print('{TAG} GPL-2.0')\n",
        f"# REUSE-IgnoreStart\n# {TAG} MIT\n# REUSE-IgnoreEnd\n",
        "x" * 1000 + f"/* {TAG} MIT */",
    ],
)
def test_a_mention_is_not_a_statement(text: str):
    assert stated_license(text) is None


@given(
    st.lists(
        st.sampled_from(
            ["(", ")", "+", "MIT", "ISC", "OR", "AND", "WITH", "Linux-syscall-note", "x", "\n", "#"]
        )
    )
)
def test_no_expression_of_a_hostile_file_breaks_the_reading(words: list[str]):
    stated = stated_license(f"# {TAG} MIT " + " ".join(words))
    assert stated is not None
    assert stated.startswith(("MIT", "(MIT", "unreadable: "))
    LicensePolicy(allow=("MIT",)).drops(stated)


@pytest.mark.parametrize(
    "unit", [f"# {TAG} MIT\n", f"# {TAG} (\n", f"{TAG}", "REUSE-IgnoreStart\n", "spdxSPDX"]
)
def test_a_megabyte_of_tags_is_read_in_time(unit: str):
    text = unit * (1_000_000 // len(unit))
    begin = time.process_time()
    stated_license(text)
    assert time.process_time() - begin < 5
