from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from corpora.document import Entry, Snapshot
from corpora.licenses.repositories import (
    MAX_BYTES,
    NO_FILE,
    Licensed,
    speaks_about_licenses,
    with_licenses,
)
from tests.corpora.licenses.texts import BSD_2, GPL_2_NOTICE, ISC, MIT


@dataclass(frozen=True)
class Files:
    """A snapshot of the files given, by source and path."""

    texts: Mapping[tuple[str, str], str]

    def entries(self) -> Iterator[Entry]:
        for (source, path), text in self.texts.items():
            yield Entry(source=source, path=path, size=len(text), handle=path)

    def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
        for entry in entries:
            yield entry, self.texts[entry.source, entry.path].encode()


def of_snapshot(snapshot: Snapshot, wanted: Sequence[Entry]) -> Licensed:
    return with_licenses(snapshot, wanted, list(filter(speaks_about_licenses, snapshot.entries())))


def licensed(files: Mapping[str, str]) -> Licensed:
    snapshot = Files({("lib", path): text for path, text in files.items()})
    return of_snapshot(snapshot, list(snapshot.entries()))


def licenses(files: Mapping[str, str]) -> dict[str, str | None]:
    return {entry.path: entry.license for entry in licensed(files).entries}


def test_a_licence_file_speaks_about_its_folder_and_those_below():
    found = licenses({"LICENSE": MIT, "a.c": "", "src/deep/b.c": ""})
    assert found == {"LICENSE": "MIT", "a.c": "MIT", "src/deep/b.c": "MIT"}


def test_the_licence_of_an_archive_with_one_top_folder_is_read():
    assert licenses({"pkg-1.0/COPYING": ISC, "pkg-1.0/src/a.c": ""})["pkg-1.0/src/a.c"] == "ISC"


def test_a_copied_library_keeps_its_own_licence():
    found = licenses(
        {"LICENSE": MIT, "deps/x/COPYING": GPL_2_NOTICE, "deps/x/src/a.c": "", "b": ""}
    )
    assert (found["deps/x/src/a.c"], found["b"]) == ("GPL-2.0-or-later", "MIT")


def test_a_copied_library_with_unknown_conditions_has_no_licence():
    found = licenses({"LICENSE": MIT, "deps/x/LICENSE": "You must pay.", "deps/x/a.c": ""})
    assert found["deps/x/a.c"] is None


def test_a_file_that_only_refers_to_another_changes_nothing():
    files = {"LICENSE": MIT, "sub/LICENSE": "See the licence of the project.", "sub/a.c": ""}
    assert licenses(files)["sub/a.c"] == "MIT"


def test_files_that_are_named_beside_the_licence_are_not_known():
    words = 'Under other terms are:\n lib/md5.c\n old.c\n src/x/\n gen/*.h\n the "test" folder\n\n'
    found = licenses(
        dict.fromkeys(
            ["a.c", "lib/md5.c", "any/old.c", "src/x/y.c", "gen/z.h", "test/t.c", "lib/x.c"], ""
        )
        | {"COPYING": words + BSD_2}
    )
    known = {path for path, license_ in found.items() if license_}
    assert known == {"a.c", "lib/x.c", "COPYING"}


def test_only_licence_files_above_wanted_files_are_read():
    class Counting(Files):
        def read(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
            for entry, content in super().read(entries):
                seen.append(entry.path)
                yield entry, content

    seen: list[str] = []
    files = {"LICENSE": MIT, "a/LICENSE": MIT, "b/c/LICENSE": MIT, "b/c/d/x.c": "", "y.c": ""}
    snapshot = Counting({("lib", path): text for path, text in files.items()})
    of_snapshot(snapshot, [one for one in snapshot.entries() if one.path.endswith(".c")])
    assert seen == ["LICENSE", "b/c/LICENSE"]


def test_texts_of_reuse_count_where_there_is_no_other_licence_file():
    assert licenses({"LICENSES/MIT.txt": MIT, "a.c": ""})["a.c"] == "MIT"
    two = {"LICENSES/MIT.txt": MIT, "LICENSES/ISC.txt": ISC, "a.c": ""}
    assert licenses(two)["a.c"] == "ISC AND MIT"
    assert licenses({**two, "LICENSE": MIT})["a.c"] == "MIT"


def test_statements_of_reuse_count_before_licence_files():
    toml = '[[annotations]]\npath = "a.*"\nSPDX-License-Identifier = "ISC"\n'
    found = licenses({"LICENSE": MIT, "REUSE.toml": toml, "a.c": "", "b.c": ""})
    assert (found["a.c"], found["b.c"]) == ("ISC", "MIT")


def test_a_licence_file_that_cannot_be_read_bars_what_others_say():
    for text in ("x" * (MAX_BYTES + 1), "a\0b"):
        found = licensed({"LICENSE": text, "COPYING": MIT, "a.c": ""})
        assert {entry.license for entry in found.entries} == {None}
        assert "too large or not a text" in found.notes[0]


def test_a_declared_licence_is_kept_and_nothing_is_read():
    snapshot = Files({("lib", "LICENSE"): MIT, ("lib", "a.c"): ""})
    declared = [replace(entry, license="ISC") for entry in snapshot.entries()]
    assert of_snapshot(snapshot, declared) == Licensed(entries=declared, notes=())


def test_notes_say_what_is_not_known_about_each_source():
    snapshot = Files({("a", "x.c"): "", ("b", "LICENSE"): "Be nice.", ("b", "y.c"): ""})
    found = of_snapshot(snapshot, list(snapshot.entries()))
    assert found.notes == [f"a: {NO_FILE}", 'b: LICENSE not recognised: "Be nice."']


def test_what_package_metadata_state_is_only_a_note():
    found = licensed({"package.json": '{\n  "name": "x",\n  "license": "MIT",\n}', "a.js": ""})
    assert {entry.license for entry in found.entries} == {None}
    assert found.notes[1] == 'lib: package.json states "MIT", which is not used'
    other = licensed({"pyproject.toml": "[project]\nlicense = 'ISC'\n", "LICENSE": MIT, "a.py": ""})
    assert other.notes == []
