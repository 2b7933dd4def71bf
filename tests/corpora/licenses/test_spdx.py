import pytest
from pydantic import ValidationError

from corpora.licenses.spdx import LicensePolicy, all_of, normal_license, unreadable


@pytest.mark.parametrize(
    "text", ["MIT/Apache-2.0", "bogus", "MIT AND", "MIT WITH bogus", "", "()", "(OR (AND +"]
)
def test_what_spdx_does_not_know_has_no_normal_form(text: str):
    assert normal_license(text) is None


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


@pytest.mark.parametrize(
    "lists", [{"allow": ("MIT", "unknown")}, {"deny": ("GPL-2.0",)}, {"deny": ("unknown",)}]
)
def test_an_unreadable_tag_passes_no_list(lists: dict[str, tuple[str, ...]]):
    tag = unreadable("MIT/GPL-2.0-only")
    assert LicensePolicy.model_validate(lists).drops(tag) == "unreadable: MIT/GPL-2.0-only"


def test_a_licence_with_a_name_of_its_project_can_be_allowed():
    assert normal_license("MIT OR LicenseRef-ours") == "MIT OR LicenseRef-ours"
    assert LicensePolicy(allow=("LicenseRef-ours",)).drops("LicenseRef-ours") is None
    assert LicensePolicy(allow=("MIT",)).drops("MIT OR LicenseRef-ours") is None
    assert LicensePolicy(allow=("MIT",)).drops("MIT AND LicenseRef-ours") is not None


def test_expressions_are_joined_once_each_and_choices_in_brackets():
    assert all_of(["MIT"]) == "MIT"
    assert all_of(["MIT OR ISC", "Zlib", "MIT OR ISC"]) == "(MIT OR ISC) AND Zlib"


def test_without_lists_everything_stays():
    assert LicensePolicy().drops(unreadable("MIT/GPL")) is None
    assert LicensePolicy().drops(None) is None
    assert LicensePolicy().drops("GPL-3.0-only") is None


@pytest.mark.parametrize("name", ["MIT OR ISC", "Apache 2.0", "mitt", ""])
def test_a_list_names_single_licences_of_spdx(name: str):
    with pytest.raises(ValidationError, match="is not one SPDX licence"):
        LicensePolicy(allow=(name,))


def test_a_licence_cannot_be_allowed_and_denied():
    with pytest.raises(ValidationError, match="MIT: both allowed and denied"):
        LicensePolicy(allow=("mit",), deny=("MIT",))
