"""Hostile texts and archives: bytes in any encoding, archives that lie, code for every lexer."""

import bz2
import gzip
import io
import lzma
import random as random_module
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from corpora.build.examine import FileBatch, examine
from corpora.document import Entry
from corpora.errors import SourceError
from corpora.sources.url.archive import Limits, check_claim, list_members, read_members, unpack
from corpora.spec import CorpusSpec
from corpora.text.decoding import UndecodableError, decode
from evaluation.languages import LANGUAGES
from evaluation.metrics.diversity import diversity
from evaluation.report.marking import visible
from evaluation.scoring.sandbox import score_all
from tests.evaluation.scoring.hostile import KILLERS, hostile_texts
from tests.faults.fuzzing import INPUTS, bounded, linear
from tests.faults.mutation import TOKENS, mutated
from tests.faults.table import Fault, LostError

ENCODINGS = (
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "latin-1"),
    *("cp1252", "cp1251", "koi8-r", "shift_jis", "euc-jp", "iso2022_jp", "gb18030", "big5"),
    *("euc-kr", "cp874", "iso-8859-8", "mac-cyrillic", "cp037", "hz"),
)
WORDS = "def f(x): return 'naïve'\n\tПривет, 世界! 日本語 한국어 שלום ไทย\r\n\f\v\x85\u2028\ufeff".split(" ")
LIMITS = Limits(max_bytes=3_000_000, max_ratio=20)


class Memory:
    """A snapshot of files in memory."""

    def __init__(self, contents: list[bytes]) -> None:
        self._contents = contents

    def entries(self) -> list[Entry]:
        """One entry per content."""
        return [
            Entry(source="s", path=f"a{n}.py", size=len(content), handle=str(n))
            for n, content in enumerate(self._contents)
        ]

    def read(self, entries: list[Entry]):
        """The contents."""
        for entry in entries:
            yield entry, self._contents[int(entry.handle)]


def _content(random: Random) -> bytes:
    """A text in some encoding, possibly damaged; or noise."""
    if random.random() < 0.1:
        return random.randbytes(random.choice((0, 1, 2, 3, 4, 100, 10_000)))
    text = " ".join(random.choices(WORDS, k=random.choice((1, 5, 50, 500))))
    content = text.encode(random.choice(ENCODINGS), "ignore")
    return mutated(random, content) if random.random() < 0.7 else content


def _decoding(random: Random) -> None:
    """Whatever the bytes are, they are text, or dropped with a reason."""
    for _ in range(INPUTS):
        content = _content(random)
        with bounded(content):
            try:
                decoded = decode(content)
            except UndecodableError as error:
                assert error.reason in ("binary", "encoding")
                continue
        decoded.text.encode()
        assert "\0" not in decoded.text
        assert "\r" not in decoded.text


SPECS = (
    CorpusSpec(extensions=(".py",)),
    CorpusSpec(extensions=(".py",), gutenberg=True, part_characters=1_000),
    CorpusSpec.model_validate({"extensions": [".py"], "normalise": {"ascii": True}}),
)


def _examination(random: Random) -> None:
    """Every rule on content, and the signatures."""
    for _ in range(INPUTS // 5):
        contents = [_content(random) for _ in range(5)]
        if random.random() < 0.2:
            contents[0] = random.choice(list(_pumped(2_000).values())).encode("utf-8", "surrogatepass")
        snapshot = Memory(contents)
        for spec in SPECS:
            with bounded(contents):
                batch = FileBatch(snapshot=snapshot, entries=snapshot.entries(), spec=spec)
                assert len(examine(batch)) == len(contents)


def _members(random: Random) -> list[tuple[str, bytes]]:
    names = (
        *("a.py", "b/c.txt", "../../etc/cron.d/x", "/etc/passwd", "C:\\x", "..\\x", "a.py", "."),
        *("", "a" * 300, "\udcff.py", "a\nb", "a\x00b", "é.py", "./a.py", "a//b", "CON", "~/x"),
    )
    sizes = (0, 1, 511, 512, 513, 5_000)
    return [
        (random.choice(names), random.randbytes(random.choice(sizes)))
        for _ in range(random.randrange(1, 6))
    ]


def _tar(random: Random) -> bytes:
    stream = io.BytesIO()
    kinds = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)
    with tarfile.open(
        fileobj=stream, mode="w", format=random.choice(kinds), errors="surrogateescape"
    ) as tar:
        for name, content in _members(random):
            member = tarfile.TarInfo(name[:90] or "x")
            member.size = len(content)
            if random.random() < 0.4:
                member.type = random.choice(
                    (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
                    + (tarfile.DIRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"x", b"L", b"g")
                )
                member.linkname = "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _zip(random: Random) -> bytes:
    stream = io.BytesIO()
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(stream, "w", random.choice(methods)) as archive:
        for name, content in _members(random):
            member = zipfile.ZipInfo(name.replace("\udcff", "ÿ").replace("\0", "") or "x")
            member.external_attr = random.choice((0, 0o120777 << 16, 0o100644 << 16, 0o10666 << 16))
            archive.writestr(member, content)
        if random.random() < 0.2:
            archive.writestr("bomb", b"\0" * 5_000_000, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: content,
    lambda content: content,
    lambda content: gzip.compress(content, mtime=0),
    bz2.compress,
    lzma.compress,
    lambda content: gzip.compress(content + b"\0" * 5_000_000, mtime=0),
    lambda content: gzip.compress(content)[:-4] + b"\xff\xff\xff\xff",
    lambda content: gzip.compress(content) * 3,
)


def _archives(random: Random) -> None:
    """Members never leave, sizes never lie, and nothing unpacks to more than is allowed."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(INPUTS):
            with _quiet_zip():
                content = random.choice((_tar, _zip))(random)
            damaged = mutated(random, content) if random.random() < 0.6 else content
            damaged = random.choice(PACKERS)(damaged)
            if random.random() < 0.3:
                damaged = mutated(random, damaged)
            path = Path(folder, "archive.zip")
            path.write_bytes(damaged)
            with bounded(damaged):
                _use_archive(path)
            if unknown := {one.name for one in Path(folder).iterdir()} - {path.name, "archive.zip.plain"}:
                raise LostError(f"extracted {unknown}")


def _quiet_zip():
    import warnings

    context = warnings.catch_warnings()
    context.__enter__()
    warnings.simplefilter("ignore")
    from contextlib import ExitStack

    stack = ExitStack()
    stack.push(context.__exit__)
    return stack


def _use_archive(path: Path) -> None:
    check_claim(path, path.name, "here")
    plain = unpack(path, LIMITS, "here")
    allowed = LIMITS.allowed(path.stat().st_size)
    entries = []
    for member in list_members(plain, "archive"):
        member.path.encode()
        fields = {"path": member.path, "size": member.size, "handle": member.handle}
        entries.append(Entry(source="s", problem=member.problem, **fields))
    total = 0
    for entry, content in read_members(plain, [one for one in entries if not one.problem]):
        assert content is None or len(content) == entry.size
        total += len(content or b"")
    if plain != path and plain.stat().st_size > allowed:
        raise LostError(f"unpacked to {plain.stat().st_size:,} bytes, allowed are {allowed:,}")


TOKENS_OF_CODE = (
    *("{", "}", "(", ")", "[", "]", '"', "'", "`", "\\", "\n", "\t", "/*", "*/", "//", "#", "--"),
    *("--[[", "]]", "--[==[", "]==]", "[[", '"""', "'''", 'r#"', '"#', "${", "f'{", "<", ">", "</"),
    *("<a>", "</a>", "=>", "->", "end", "do", "function", "def ", "class ", "if ", "if (", "return "),
    *("fn ", "impl ", "match ", "struct ", "case ", "object ", "package ", "func ", "#if\n", "#else\n"),
    *("#endif\n", "'a", "'\\''", "::", "...", "\x00", "\ud800", "\uffff", "é", " ", "x", "0", "/x/"),
    *("public ", "static ", "async ", "await ", "const x =", "let ", "export ", "@", "!", "?", ";"),
)


def _code(random: Random) -> str:
    return "".join(random.choices(TOKENS_OF_CODE, k=random.choice((5, 50, 500, 3_000))))


def _lexers(random: Random) -> None:
    """Texts for every language, in its worker: each has an outcome, and none of them is a crash."""
    texts = [_code(random) for _ in range(INPUTS // 5)]
    texts += list(hostile_texts(INPUTS // 5, seed=random.randrange(10**9)))
    for language in LANGUAGES:
        for shape in ("sample", "file"):
            found = list(score_all(language, iter(texts), shape=shape))
            crashed = [t for t, s in zip(texts, found, strict=True) if s.outcome == "crash"]
            slow = [t for t, s in zip(texts, found, strict=True) if s.outcome == "timeout"]
            if len(found) != len(texts) or crashed or slow:
                raise LostError(f"{language}, {shape}: {len(slow)} too slow, crash: {crashed[:1]!r:.200}")
    for text in texts:
        with bounded(text):
            diversity(text)
            visible(text)


def _pumped(size: int) -> dict[str, str]:
    """Long lines, deep nesting and repetitions of one or two tokens, of about `size` characters."""
    texts = {"one line": "x = 1; " * (size // 7), "letters": "a" * size, "digits": "9" * size}
    for token in TOKENS_OF_CODE:
        texts[f"{token!r} again"] = token * (size // len(token))
        texts[f"{token!r} lines"] = f"{token}\n" * (size // (len(token) + 1))
    return texts


def _growth(random: Random) -> None:
    """The time of a scorer grows with the text, not with its square: repeated tokens."""
    language = random.choice([name for name in LANGUAGES if name != "python"])
    scorer = LANGUAGES[language].scorer
    pair = "".join(random.choices(TOKENS_OF_CODE, k=random.choice((1, 1, 2, 2, 3, 4))))
    around = random.choice(("", "function f() {", "/*", '"', "class A {\n", "<a>", "if (x) {\n"))

    def text(size: int) -> str:
        return around + pair * (size // len(pair))

    linear(lambda one: scorer.score_file(one), text, 60_000, f"{language}: {around!r} {pair!r}")


def _growth_of_rules(random: Random) -> None:
    """The time of the rules on content grows with the text, not with its square."""
    pieces = [*TOKENS_OF_CODE, "Copyright (c) 2020 x\n", "SPDX-License-Identifier: MIT\n"]
    pieces += ["license ", "generated by ", "AKIA", "-----BEGIN RSA PRIVATE KEY-----", "1, ", "=="]
    pieces += ["*** START OF THE PROJECT GUTENBERG EBOOK ", "*** END", "@a", "a@b.", "+1 ", "\r", "\f"]
    pair = "".join(random.choices(pieces, k=random.choice((1, 1, 2, 3))))
    spec = random.choice(SPECS)

    def run(text: str) -> None:
        snapshot = Memory([text.encode("utf-8", "surrogatepass")])
        examine(FileBatch(snapshot=snapshot, entries=snapshot.entries(), spec=spec))

    linear(run, lambda size: pair * (size // len(pair)), 100_000, f"rules: {pair!r}")


FAULTS = [
    Fault(name="bytes in any encoding", rounds=40, short_rounds=2, run=_decoding),
    Fault(name="rules on content", rounds=20, short_rounds=1, run=_examination),
    Fault(name="archives", rounds=40, short_rounds=2, run=_archives),
    Fault(name="code for every lexer", rounds=10, short_rounds=0, run=_lexers, seconds=280),
    Fault(name="growth of the time of lexers", rounds=300, short_rounds=6, run=_growth),
    Fault(name="growth of the time of rules", rounds=100, short_rounds=3, run=_growth_of_rules),
]
_ = (KILLERS, SourceError, TOKENS, random_module)
