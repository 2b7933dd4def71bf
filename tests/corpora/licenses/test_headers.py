import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.licenses.headers import FAMILIES, LIMITS, Phrase, header_license
from tests.corpora.licenses.texts import BSD_2, GPL_2_NOTICE, ISC, MIT, UNLICENSE

COMMENTS = {
    "c": ("/*\n * ", "\n * ", "\n */\n#include <a.h>\nint x;\n"),
    "c++": ("// ", "\n// ", "\n\nint x;\n"),
    "python": ("#!/usr/bin/python3\n# ", "\n# ", "\n\nimport os\n"),
    "docstring": ('"""A module.\n\n', "\n", '\n"""\nimport os\n'),
    "lua": ("--[[\n", "\n", "\n]]\nlocal x = 1\n"),
    "html": ("<!--\n", "\n", "\n-->\n<p>Hello</p>\n"),
    "php": ("<?php\n/*\n", "\n", "\n*/\n$x = 1;\n"),
}


def commented(text: str, form: str = "c") -> str:
    begin, between, end = COMMENTS[form]
    return begin + between.join(text.strip().split("\n")) + end


@pytest.mark.parametrize("form", COMMENTS)
@pytest.mark.parametrize(
    ("text", "name"),
    [
        (MIT, "MIT"),
        (ISC, "ISC"),
        (BSD_2, "BSD-2-Clause"),
        (UNLICENSE, "Unlicense"),
        (GPL_2_NOTICE, "GPL-2.0-or-later"),
    ],
)
def test_the_first_comment_states_the_licence(form: str, text: str, name: str):
    assert header_license(commented("foo - does it\n" + text, form), "Zlib") == name


def test_two_texts_in_the_first_comments_both_count():
    assert header_license(commented(MIT) + "x", None) == "MIT"
    assert header_license(commented(f"{MIT}\n{ISC}"), None) == "ISC AND MIT"


@pytest.mark.parametrize(
    "text",
    [
        BSD_2.replace("are permitted", "are permitted for non-commercial research only"),
        "Proprietary and confidential.",
        "Licensed for evaluation purposes.",
        "Licence: may not be redistributed.",
        "No part of this may be copied without permission.",
        "Licensed under the GPL, see the file COPYING.",
        "This file is part of X, under the GNU Lesser General\nPublic License.",
        "Subject to the Mozilla Public License",
        "Unauthorized copying of this file, via any medium, is strictly prohibited.",
        "All rights reserved. Do not distribute.",
        "Redistribution is not permitted.",
        "Free for personal use.",
        "AGPL-3.0",
        "From a forum, CC BY-SA 4.0",
        "Licensed under the EUPL",
        "Licensed under the Open Software License",
        "Ms-RL",
        "CeCILL-B license",
        "Licensed under the Common Public Attribution License",
        "Licensed under the Server Side Public License",
        "Governed by the Business Source License in the file BSL.txt",
        "Licensed under the Elastic License 2.0",
        "@license PolyForm Shield License 1.0.0",
        f"The functions below are under the GPL, the licence of the rest is:\n{MIT}",
    ],
)
def test_terms_that_are_not_understood_are_never_the_sources_licence(text: str):
    stated = header_license(commented(text), "MIT")
    assert stated is not None
    assert stated.startswith("unreadable: ")


@pytest.mark.parametrize(
    "text",
    [
        "Licensed under the MIT license.",
        "See LICENSE for the licence.",
        "Copyright 2020 Ada. All rights reserved.",
        "Use of this source code is governed by a licence that can be found in LICENSE.",
        "Frees memory. The caller must have permission to write.",
        "Draws from a normal distribution. Unauthorized users are prohibited from calling this.",
        "",
    ],
)
def test_a_comment_that_only_refers_to_the_licence_states_none(text: str):
    assert header_license(commented(text), "MIT") is None


def test_a_comment_may_refer_to_the_licence_of_its_source_by_name():
    text = commented("Licensed under the GPL, see the file COPYING.")
    assert header_license(text, "GPL-2.0-only") == "GPL-2.0-only"


def test_of_a_choice_the_licence_that_is_given_in_full_is_enough():
    text = commented(f"{ISC}\nAlternatively, this may be distributed under the GPL.")
    assert header_license(text, "MIT") == "ISC"


def test_a_licence_in_a_string_or_after_code_is_not_that_of_the_file():
    assert header_license(f'import os\n\nTEXT = """{MIT}"""\n', None) is None
    assert header_license(f"int x;\n{commented(MIT)}", None) is None


@pytest.mark.parametrize(
    "unit", ["# licence\n", "/* licence */\n", "# GNU\n", "/*", "\n", "# \u00e9 "]
)
def test_no_megabyte_of_comments_takes_long(unit: str):
    text = unit * (1_000_000 // len(unit))
    begin = time.process_time()
    header_license(text, None)
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("phrase", [*FAMILIES.values(), *LIMITS], ids=lambda one: one.words[0])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_match_of_a_phrase_contains_a_word_of_it(phrase: Phrase, data: st.DataObject):
    text = data.draw(st.from_regex(phrase.pattern, alphabet=st.characters(codec="ascii")))
    assert phrase.search(text, text.lower())


@pytest.mark.parametrize("words", ["for re\u017fearch", "as a trade \u017fecret"])
def test_letters_that_are_equal_but_for_their_case_hide_no_limit(words: str):
    comment = f"Permission is granted {words} only."
    assert (header_license(commented(comment), "MIT") or "").startswith("unreadable")
