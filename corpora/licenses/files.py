"""Which files of a source speak about the licence of others: by their names and folders."""

import re

LICENSES = "a2l|afl|agpl|apache|artistic|asl|boost|bsd|bsl|cc0|cddl|epl|eupl|gfdl|gnu|gpl|isc|lgpl"
NAMES = rf"{LICENSES}|lesser|lib|mit|mpl|ncsa|ofl|psf|unlicense|wtfpl|zlib"
FILE_NAME = re.compile(
    rf"""
    (?: (?:{NAMES}) (?:-?v?[\d.]+)? [-_.] )?                    # MIT-LICENSE
    (?: licen[cs]es? | copying | copyright | unlicense )
    (?: v?\d )?                                           # COPYING3
    (?: [-_] [a-z0-9+-]+ (?:\.\d+)* )*                    # LICENSE-APACHE-2.0
    (?: \. (?: txt | md | markdown | rst | adoc | html? | 2nd | old
             | (?:{NAMES}) (?:[-.]? v? \d+ (?:\.\d+)*)? (?:-clause)? ) )*
    """,
    re.IGNORECASE | re.VERBOSE,
)
REUSE_FOLDER, REUSE_TOML, REUSE_DEP5 = "LICENSES", "REUSE.toml", ".reuse/dep5"
"""Of the REUSE specification: texts by SPDX name, and statements about files that have no tag."""


def is_license_file(path: str) -> bool:
    """Whether this is the licence file of the folder it is in."""
    return FILE_NAME.fullmatch(path.rpartition("/")[2]) is not None


def license_folder(path: str) -> str | None:
    """The folder whose files this file speaks about, "" for the root; None if it is another file.

    A file of `LICENSES/` speaks about the folder that contains `LICENSES/`.
    """
    folder, _, name = path.rpartition("/")
    if is_reuse_text(path):
        return folder.removesuffix(REUSE_FOLDER).rstrip("/")
    return folder if FILE_NAME.fullmatch(name) else None


def is_reuse_text(path: str) -> bool:
    """Whether this is a licence as REUSE keeps it: `LICENSES/MIT.txt`, but not an exception."""
    folder, _, name = path.rpartition("/")
    is_exception = "exception" in name.lower() or "syscall-note" in name
    return folder.split("/")[-1] == REUSE_FOLDER and name.endswith(".txt") and not is_exception


METADATA = ("package.json", "pyproject.toml", "Cargo.toml")
METADATA_LICENSE = re.compile(r"""^[ \t]*"?license"?[ \t]*[:=][ \t]*(.*?)[ \t,]*$""", re.MULTILINE)


def metadata_note(path: str, text: str) -> str:
    """What a package states about its licence, which is not believed; "" if nothing."""
    stated = METADATA_LICENSE.search(text)
    return f"{path} states {stated[1][:100]}, which is not used" if stated and stated[1] else ""
