import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpora.licenses.spdx import LicensePolicy, normal_license, stated_license


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("// SPDX-License-Identifier: GPL-2.0\n", "GPL-2.0-only"),
        ("/* SPDX-License-Identifier: (GPL-2.0+ OR MIT) */\n", "GPL-2.0-or-later OR MIT"),
        ("<!-- SPDX-License-Identifier: MIT -->\n", "MIT"),
        ("# SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note\n",
         "GPL-2.0-only WITH Linux-syscall-note"),
        ("/* SPDX-License-Identifier: GPL-2.0 or Linux-OpenIB */", "GPL-2.0-only OR Linux-OpenIB"),
        ("# SPDX-License-Identifier: LicenseRef-ours\n", "LicenseRef-ours"),
        ("# SPDX-License-Identifier: MIT OR\n", "MIT OR"),
        ("no tag\n", None),
        ("\n" * 3000 + "# SPDX-License-Identifier: MIT\n", None),
    ],
)  # fmt: skip
def test_the_tag_of_a_file_comes_in_the_words_of_spdx(head: str, expected: str | None):
    assert stated_license(head) == expected


@pytest.mark.parametrize(
    "text", ["MIT/Apache-2.0", "bogus", "MIT AND", "MIT WITH bogus", "", "()", "(OR (AND +"]
)
def test_what_spdx_does_not_know_has_no_normal_form(text: str):
    assert normal_license(text) is None


@given(
    st.lists(
        st.sampled_from(
            ["(", ")", "+", "MIT", "ISC", "OR", "AND", "WITH", "Linux-syscall-note", "x"]
        )
    )
)
def test_no_expression_of_a_hostile_file_breaks_the_reading(words: list[str]):
    stated = stated_license("SPDX-License-Identifier: MIT " + " ".join(words))
    assert stated is not None
    assert stated.startswith("MIT")
    LicensePolicy(allow=("MIT",)).drops(stated)


@pytest.mark.parametrize(
    ("license_", "stays"),
    [
        ("MIT", True),
        ("GPL-2.0-only", False),
        ("GPL-2.0-only OR MIT", True),
        ("GPL-2.0-only AND MIT", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("LicenseRef-ours", False),
        (None, False),
    ],
)
def test_an_allow_list_decides_over_whole_expressions(license_: str | None, stays: bool):
    dropped = LicensePolicy(allow=("MIT", "Apache-2.0")).drops(license_)
    assert dropped == (None if stays else license_ or "unknown")


@pytest.mark.parametrize(
    ("license_", "stays"),
    [
        ("MIT", True),
        ("GPL-2.0-only", False),
        ("GPL-2.0", False),
        ("GPL-2.0-only WITH Linux-syscall-note", False),
        ("GPL-2.0-only OR BSD-3-Clause", True),
        ("GPL-2.0-only AND BSD-3-Clause", False),
        ("GPL-2.0-or-later", True),
        (None, True),
    ],
)
def test_a_deny_list_decides_over_whole_expressions(license_: str | None, stays: bool):
    assert (LicensePolicy(deny=("GPL-2.0",)).drops(license_) is None) == stays


def test_unknown_may_be_allowed_or_denied_by_name():
    assert LicensePolicy(allow=("MIT", "unknown")).drops(None) is None
    assert LicensePolicy(allow=("MIT", "unknown")).drops("LicenseRef-ours") is None
    assert LicensePolicy(deny=("unknown",)).drops(None) == "unknown"
    assert LicensePolicy(deny=("unknown",)).drops("MIT") is None


def test_without_lists_everything_stays():
    assert LicensePolicy().drops(None) is None
    assert LicensePolicy().drops("GPL-3.0-only") is None


@pytest.mark.parametrize("name", ["MIT OR ISC", "Apache 2.0", "mitt", ""])
def test_a_list_names_single_licences_of_spdx(name: str):
    with pytest.raises(ValidationError, match="is not one SPDX licence"):
        LicensePolicy(allow=(name,))


def test_a_licence_cannot_be_allowed_and_denied():
    with pytest.raises(ValidationError, match="MIT: both allowed and denied"):
        LicensePolicy(allow=("mit",), deny=("MIT",))
