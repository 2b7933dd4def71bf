import time

import pytest

from corpora.licenses.recognise import LATER, read_license, repository_license
from tests.corpora.licenses.texts import (
    AS_IS,
    BSD_2,
    BSD_3,
    GPL_2_NOTICE,
    ISC,
    MIT,
    MIT_0,
    NOTICE,
    UNLICENSE,
    installed,
)

SHORT = {
    "BSD-2-Clause": BSD_2,
    "BSD-3-Clause": BSD_3,
    "ISC": ISC,
    "MIT": MIT,
    "MIT-0": MIT_0,
    "Unlicense": UNLICENSE,
}
LIBARCHIVE = (
    "The library as a whole is Copyright by Ada and is subject to the copyright notice reproduced "
    "at the bottom of this file.\n\n"
    "* Except as listed below, all C sources are subject to the copyright notice reproduced at the "
    "bottom of this file.\n\n"
    "* The following source files are triple-licensed with the ability to choose from CC0 1.0 "
    "Universal, OpenSSL or Apache 2.0 licenses:\n   lib/blake2.h\n\n"
    "* The build files have widely varying licensing terms.  Please check individual files before "
    "distributing them to see if those restrictions apply to you.\n\n"
)
COMMONS_CLAUSE = (
    '"Commons Clause" License Condition v1.0\n\nThe Software is provided to you by the Licensor '
    "under the License, as defined below, subject to the following condition.\n\nWithout limiting "
    "other conditions in the License, the grant of rights under the License will not include, and "
    "the License does not grant to you, the right to Sell the Software.\n\n"
)
LIMITS_ELSEWHERE = (
    "Uso comercial proibido.",
    "Somente para estudo.",
    "Alleen voor eigen gebruik.",
    "Endast f\u00f6r privat bruk.",
    "Tylko do u\u017cytku prywatnego.",
    "Pouze pro v\u00fduku.",
    "Csak saj\u00e1t c\u00e9lra.",
    "Ticari kullan\u0131m yasakt\u0131r.",
    "C\u1ea5m b\u00e1n l\u1ea1i.",
    "Dilarang menjual.",
)


def license_of(text: str) -> str | None:
    return repository_license({"LICENSE": text}).expression


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("layout", [" ", "\n", "\n * ", "\n#   "])
def test_a_text_is_recognised_in_any_layout(name: str, layout: str):
    assert license_of(layout.join(SHORT[name].split(" "))) == name


@pytest.mark.parametrize(
    ("package", "file", "name"),
    [
        ("requests", "LICENSE", "Apache-2.0"),
        ("pygithub", "COPYING", "GPL-3.0-only"),
        ("pygithub", "COPYING.LESSER", "LGPL-3.0-only"),
        ("pyppmd", "LICENSE", "LGPL-2.1-only"),
        ("orjson", "LICENSE-MPL-2.0", "MPL-2.0"),
    ],
)
def test_a_long_text_with_its_appendix_is_one_licence(package: str, file: str, name: str):
    assert license_of(installed(package, file)) == name


@pytest.mark.parametrize("title", ["MIT License\n\n", "(The MIT License)\n\n", "# License\n----\n"])
def test_a_title_is_no_condition(title: str):
    found = repository_license({"LICENSE": title + MIT})
    assert (found.expression, found.note) == ("MIT", "")


@pytest.mark.parametrize(
    "text",
    [
        COMMONS_CLAUSE + MIT,
        MIT + "\n" + COMMONS_CLAUSE,
        MIT.replace("without restriction", "without restriction, for NON-COMMERCIAL use only"),
        MIT.replace("any person", "any non-commercial person"),
        MIT.replace("of this software", "of this noncommercial software"),
        MIT.replace("and/or sell", "and/or not sell"),
        MIT.replace("Ada Lovelace", "Ada Lovelace. For academic use. You must not sell it."),
        MIT.replace("Ada Lovelace\n\n", "Ada Lovelace, for non-commercial use only. "),
        "Licence fuer nichtkommerzielle Zwecke\n\n" + MIT,
        MIT + "\nThis software may not be used by the military.\n",
        *(MIT + f"\n{limit}\n" for limit in LIMITS_ELSEWHERE),
        MIT + "\n\u4ec5\u4f9b\u5b66\u4e60\u4f7f\u7528\n",
        BSD_3.replace("are permitted", "are permitted for non-commercial research purposes only"),
        BSD_3.replace("the name of the copyright", "the name, for research use only, of the"),
        BSD_2.replace("THIS SOFTWARE", "3. You may not sell this software.\n\nTHIS SOFTWARE", 1),
        "All rights reserved. Some icons are CC0 1.0 Universal",
        "This project is licensed under the MIT license.",
        "https://opensource.org/licenses/MIT",
        "All rights reserved.",
        "Licensed under the terms of the GPL.",
        "",
    ],
)
def test_a_word_too_many_makes_a_licence_unknown(text: str):
    assert license_of(text) is None


@pytest.mark.parametrize("name", ["BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"])
def test_no_limit_of_use_is_overlooked_wherever_it_is_inserted(name: str):
    words = SHORT[name].split(" ")
    for place in range(0, len(words) + 1, 3):
        text = " ".join([*words[:place], "for non-commercial use only", *words[place:]])
        assert license_of(text) is None, text


def test_a_name_that_begins_like_a_word_of_another_language_is_no_limit():
    names = "Copyright (c) 2020 Csaky, Doarte, McAlleen and Pouzet"
    assert license_of(MIT.replace("Copyright (c) 2020 Ada Lovelace", names)) == "MIT"


def test_a_licence_that_resembles_another_keeps_its_own_name():
    evil = "The Software shall be used for Good, not Evil.\n\n"
    assert license_of(MIT.replace(AS_IS, evil + AS_IS)) == "JSON"


def test_licences_that_are_mentioned_for_some_files_are_a_note():
    found = repository_license({"COPYING": LIBARCHIVE + BSD_2})
    assert found.expression == "BSD-2-Clause"
    assert found.note.startswith('COPYING also says: "The library as a whole is')
    assert "lib/blake2.h" in found.rest


def test_several_texts_are_joined_by_the_strict_reading():
    texts = {"LICENSE-MIT": MIT, "LICENSE-ISC": ISC}
    assert repository_license(texts).expression == "ISC AND MIT"
    assert (
        license_of(f"{MIT}\n\nThe files in lib come with this licence:\n\n{ISC}") == "ISC AND MIT"
    )


def test_a_tag_and_a_text_both_count():
    tagged = "SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note\n" + MIT
    assert license_of(tagged) == "GPL-2.0-only WITH Linux-syscall-note AND MIT"
    assert license_of("SPDX-License-Identifier: MIT\n" + MIT) == "MIT"


def test_a_choice_in_a_tag_stays_a_choice():
    texts = {"A": "SPDX-License-Identifier: MIT OR GPL-2.0\n", "B": ISC}
    assert repository_license(texts).expression == "ISC AND (MIT OR GPL-2.0-only)"


def test_an_unreadable_tag_makes_the_licence_unknown():
    found = repository_license({"LICENSE": "SPDX-License-Identifier: MIT/GPL\n" + MIT})
    assert found.expression is None
    assert "unreadable: MIT/GPL" in found.note


def test_a_gnu_licence_text_does_not_say_whether_later_versions_count():
    found = repository_license({"COPYING": installed("pygithub", "COPYING")})
    assert (found.expression, found.note) == ("GPL-3.0-only", LATER)
    assert license_of(GPL_2_NOTICE) == "GPL-2.0-or-later"


def test_the_lesser_licence_takes_the_text_it_is_made_of_along():
    texts = {name: installed("pygithub", name) for name in ("COPYING", "COPYING.LESSER")}
    assert repository_license(texts).expression == "LGPL-3.0-only"


def test_an_unknown_text_is_shown_not_guessed():
    found = repository_license({"LICENSE": "Do as you like.", "COPYING": MIT})
    assert (found.expression, found.note) == ("MIT", 'LICENSE not recognised: "Do as you like."')
    assert license_of("Do as you like.") is None
    assert repository_license({}).expression is None


def test_an_unknown_text_with_conditions_bars_the_known_ones():
    found = repository_license({"LICENSE": "You must not sell it.", "COPYING": MIT})
    assert found.is_barred
    assert found.expression is None
    assert found.note == 'LICENSE not recognised: "You must not sell it."'


def test_what_comes_before_a_text_is_not_part_of_it():
    assert read_license(f"Hello, world.\n\n{NOTICE}{MIT}").rest.startswith("Hello, world.")


GUIDE = "how to apply these terms to your new programs "


@pytest.mark.parametrize(
    "unit",
    ["\n", "-", "a", "a.", "a/", "License ", "(c) ", "copyright\n", GUIDE, "not ", "```", "\u00e9"],
)
def test_a_long_licence_file_is_read_in_time(unit: str):
    begin = time.process_time()
    repository_license({"LICENSE": unit * (100_000 // len(unit))})
    assert time.process_time() - begin < 5
