"""Recognise the licence in a repository's LICENSE and COPYING files by its wording.

A file may contain several licences, and a repository several files. They do not say whether one may
choose among them, so they are joined by AND, the strict reading. Unknown texts are named in a note,
never guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from corpora.licenses.spdx import stated_license

FILE_NAME = re.compile(
    r"(?:licen[cs]es?|copying|copyright|unlicense)(?:[-_][a-z0-9+-]+(?:\.\d+)*)?"
    r"(?:\.(?:txt|md|markdown|rst|lesser|mit|apache|bsd|2nd))*",
    re.IGNORECASE,
)
NOISE = re.compile(r"[^a-z0-9.,:]+")
LATER = "the text does not say whether later versions are allowed; 'only' holds in either case"

BSD = "redistribution and use in source and binary forms, with or without modification, are"
MIT = "permission is hereby granted, free of charge, to any person obtaining a copy of this"
NOTICE = "copyright notice and this permission notice"
ISC = "distribute this software for any purpose with or without fee is hereby granted"
NO_ENDORSEMENT = "endorse or promote products derived from"
ADVERTISING = "all advertising materials mentioning features"
GNU = "gnu {} license version {}"

PHRASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "0BSD": ((f"{ISC}. the software",), ()),
    "AGPL-3.0-only": ((GNU.format("affero general public", "3, 19 november 2007"),), ()),
    "Apache-2.0": (("apache license version 2.0, january 2004",), ()),
    "BSD-2-Clause": ((BSD,), (NO_ENDORSEMENT, ADVERTISING)),
    "BSD-3-Clause": ((BSD, NO_ENDORSEMENT), (ADVERTISING,)),
    "BSD-4-Clause": ((BSD, NO_ENDORSEMENT, ADVERTISING), ()),
    "CC0-1.0": (("cc0 1.0 universal",), ()),
    "GPL-2.0-only": ((GNU.format("general public", "2, june 1991"),), ()),
    "GPL-3.0-only": ((GNU.format("general public", "3, 29 june 2007"),), ()),
    "ISC": ((f"{ISC}, provided that the above {NOTICE}",), ()),
    "LGPL-2.0-only": ((GNU.format("library general public", "2, june 1991"),), ()),
    "LGPL-2.1-only": ((GNU.format("lesser general public", "2.1, february 1999"),), ()),
    "LGPL-3.0-only": ((GNU.format("lesser general public", "3, 29 june 2007"),), ()),
    "MIT": ((MIT, NOTICE), ()),
    "MIT-0": ((MIT,), (NOTICE,)),
    "MPL-2.0": (("mozilla public license version 2.0", "covered software"), ()),
    "PSF-2.0": (("python software foundation license version 2", "psf is making"), ()),
    "Unlicense": (("this is free and unencumbered software released into the public",), ()),
}
"""By SPDX name: phrases that the text must contain, and phrases that it must not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseFinding:
    """The licence according to licence files.

    Attributes:
        expression: SPDX expression, None if no file was recognised.
        note: what the reader must know about it; "" if nothing.
    """

    expression: str | None
    note: str


def is_license_file(path: str) -> bool:
    """Whether this is a licence file at the root of its repository."""
    return FILE_NAME.fullmatch(path) is not None


def repository_license(texts: Mapping[str, str]) -> LicenseFinding:
    """Recognise the licence of a repository from its licence files, given as text by path."""
    tagged: set[str] = set()
    recognised: set[str] = set()
    unclear = []
    for path, text in sorted(texts.items()):
        tag = stated_license(text)
        found = set() if tag else license_names(text)
        tagged |= {tag} if tag else set()
        recognised |= found
        if not tag and not found:
            unclear.append(path)
    if "LGPL-3.0-only" in recognised:
        recognised.discard("GPL-3.0-only")  # LGPL 3 builds on it, and comes with its text
    notes = [f"not recognised: {', '.join(unclear)}"] if unclear else []
    notes += [LATER] if any(name.endswith("-only") for name in recognised) else []
    return LicenseFinding(expression=_all_of(tagged | recognised), note="; ".join(notes))


def license_names(text: str) -> set[str]:
    """The licences whose wording occurs in `text`, by their SPDX names."""
    words = NOISE.sub(" ", text.lower())
    return {
        name
        for name, (wanted, unwanted) in PHRASES.items()
        if all(phrase in words for phrase in wanted)
        and not any(phrase in words for phrase in unwanted)
    }


def _all_of(names: set[str]) -> str | None:
    parts = [f"({name})" if " OR " in name and len(names) > 1 else name for name in sorted(names)]
    return " AND ".join(parts) or None
