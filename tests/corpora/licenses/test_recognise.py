import pytest

from corpora.licenses.recognise import (
    LATER,
    PHRASES,
    is_license_file,
    license_names,
    repository_license,
)

MIT = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software "
    "and associated documentation files, to deal in the Software without restriction{}."
)
MIT_NOTICE = (
    ", subject to the following conditions: The above copyright notice and this permission notice "
    "shall be included in all copies or substantial portions of the Software"
)
ISC = (
    "Permission to use, copy, modify, and/or distribute this software for any purpose with or "
    "without fee is hereby granted"
)
BSD = (
    "Redistribution and use in source and binary forms, with or without modification, are "
    "permitted provided that the following conditions are met: {}"
)
THIRD = "Neither the name of X may be used to endorse or promote products derived from this."
FOURTH = "All advertising materials mentioning features or use must display: ... "
GNU = "GNU {} PUBLIC LICENSE\n   Version {}\n\n Copyright (C) Free Software Foundation"
EXAMPLES = {
    "0BSD": ISC + ". THE SOFTWARE IS PROVIDED AS IS",
    "AGPL-3.0-only": GNU.format("AFFERO GENERAL", "3, 19 November 2007"),
    "Apache-2.0": "Apache License\n  Version 2.0, January 2004\n http://www.apache.org/licenses/",
    "BSD-2-Clause": BSD.format("1. 2."),
    "BSD-3-Clause": BSD.format(THIRD),
    "BSD-4-Clause": BSD.format(FOURTH + THIRD),
    "CC0-1.0": "Creative Commons Legal Code\n\nCC0 1.0 Universal\n",
    "GPL-2.0-only": GNU.format("GENERAL", "2, June 1991"),
    "GPL-3.0-only": GNU.format("GENERAL", "3, 29 June 2007"),
    "ISC": ISC + ", provided that the above copyright notice and this permission notice appear",
    "LGPL-2.0-only": GNU.format("LIBRARY GENERAL", "2, June 1991"),
    "LGPL-2.1-only": GNU.format("LESSER GENERAL", "2.1, February 1999"),
    "LGPL-3.0-only": GNU.format("LESSER GENERAL", "3, 29 June 2007"),
    "MIT": MIT.format(MIT_NOTICE),
    "MIT-0": MIT.format(""),
    "MPL-2.0": 'Mozilla Public License Version 2.0\n1.4. "Covered Software" means',
    "PSF-2.0": "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2\n ... PSF is making Python available",
    "Unlicense": "This is free and unencumbered software released into the public domain.",
}


@pytest.mark.parametrize("name", PHRASES)
@pytest.mark.parametrize("layout", [" ", "\n", "\n * ", "\n#   "])
def test_a_text_is_told_in_any_layout(name: str, layout: str):
    assert license_names(layout.join(EXAMPLES[name].split(" "))) == {name}


@pytest.mark.parametrize(
    "text", ["", "All rights reserved.", "Licensed under the terms of the GPL."]
)
def test_other_words_are_no_licence(text: str):
    assert license_names(text) == set()


@pytest.mark.parametrize(
    "path",
    [
        "LICENSE",
        "LICENCE.md",
        "COPYING",
        "COPYING.LESSER",
        "license.txt",
        "LICENSE-MIT",
        "UNLICENSE",
        "LICENSE-APACHE-2.0.txt",
        "COPYRIGHT.txt",
        "LICENSE.2nd.txt",
        "Licenses",
    ],
)
def test_licence_files_are_known_by_name(path: str):
    assert is_license_file(path)


@pytest.mark.parametrize(
    "path", ["license.py", "sub/LICENSE", "license_check.py", "copy.c", "CopyGrad.lua"]
)
def test_other_files_are_not_taken_for_licences(path: str):
    assert not is_license_file(path)


def test_several_licences_are_joined_by_the_strict_reading():
    texts = {"LICENSE-MIT": EXAMPLES["MIT"], "LICENSE-APACHE": EXAMPLES["Apache-2.0"]}
    assert repository_license(texts).expression == "Apache-2.0 AND MIT"


def test_a_tag_counts_more_than_words():
    tagged = "SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note\n" + EXAMPLES["MIT"]
    found = repository_license({"COPYING": tagged})
    assert (found.expression, found.note) == ("GPL-2.0-only WITH Linux-syscall-note", "")


def test_a_choice_in_a_tag_stays_a_choice():
    texts = {"A": "SPDX-License-Identifier: MIT OR GPL-2.0\n", "B": EXAMPLES["ISC"]}
    assert repository_license(texts).expression == "ISC AND (MIT OR GPL-2.0-only)"


@pytest.mark.parametrize("name", ["GPL-2.0-only", "LGPL-2.1-only", "AGPL-3.0-only"])
def test_a_gnu_licence_text_does_not_say_whether_later_versions_count(name: str):
    found = repository_license({"COPYING": EXAMPLES[name]})
    assert (found.expression, found.note) == (name, LATER)


def test_the_lesser_licence_takes_the_text_it_is_made_of_along():
    texts = {"COPYING": EXAMPLES["GPL-3.0-only"], "COPYING.LESSER": EXAMPLES["LGPL-3.0-only"]}
    assert repository_license(texts).expression == "LGPL-3.0-only"


def test_an_unknown_text_is_named_not_guessed():
    found = repository_license({"LICENSE": "Do as you like.", "COPYING": EXAMPLES["MIT"]})
    assert (found.expression, found.note) == ("MIT", "not recognised: LICENSE")
    assert repository_license({"LICENSE": "Do as you like."}).expression is None
    assert repository_license({}).expression is None
