"""A run of all stages on hostile material: no secret is kept, and no text becomes markup."""

import gzip
import io
import json
import re
import sqlite3
import tarfile
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import yaml

from flows.store.runs import Store
from tests.corpora.sources.url.web import serving
from tests.flows.cli.test_main import charmill, refused
from tests.flows.conftest import TOML, Tiny
from tests.hostile import ALL, PAGES, RAW

pytestmark = pytest.mark.slow  # half a minute; `.ci/run` names this file

CANARY = "c4n4ry-0f1e"
EVIL = "<script>alert(1)</script>"
TITLE = f"{EVIL} [t](javascript:x) | `a` \u202e\u009b $\\frac{{1}}$ :x: ---"
SETTINGS = re.search(r"(?s)\[corpus\].*", TOML)


class Redirecting(BaseHTTPRequestHandler):
    """Sends every download on to a URL with a token, as GitHub's releases and S3 do."""

    archive: bytes

    def log_message(self, format, *args):  # noqa: A002
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        host = self.headers["Host"]
        if self.path == "/code.tar":
            query = f"access_token={CANARY}&X-Amz-Signature={CANARY}"
            self.answer(302, b"", Location=f"http://{host}/signed/code.tar?{query}")
        elif self.path.startswith("/signed/"):
            self.answer(200, self.archive, ETag='"1"')
        elif self.path == "/broken.tar":
            self.answer(302, b"", Location=f"http://user:{CANARY}@127.0.0.1:1/?token={CANARY}")
        else:
            self.send_response(403, f"no {EVIL} \x1b[2J\x1b]0;x\x07 http://u:{CANARY}@host/")
            self.end_headers()

    def answer(self, status, content, **headers):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def archive_of(folder: Path) -> bytes:
    """The texts of a folder, some of them under hostile names and with hostile content."""
    names = [text.replace("/", "").replace("\x00", "")[:60] or "x" for text in ALL]
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", errors="surrogateescape") as archive:
        for number, path in enumerate(sorted(folder.glob("*.py"))):
            name = f"{names[number]}.py" if number < len(names) else path.name
            content = path.read_bytes() + PAGES[number % len(PAGES)].encode()
            member = tarfile.TarInfo(f"thing/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


@pytest.fixture
def site(tiny: Tiny) -> Iterator[str]:
    handler = type("Bound", (Redirecting,), {"archive": archive_of(tiny.folder)})
    with serving(handler) as url:
        yield url


def dataset(tiny: Tiny, source: str) -> None:
    assert SETTINGS
    rule = '\nexclude = [{ paths = ["part5*.py"], reason = ' + json.dumps(PAGES[3]) + " }]\n"
    settings = SETTINGS[0].format().replace("[corpus]", f"[corpus]{rule}", 1)
    head = f"title = {json.dumps(TITLE)}\ndescription = {json.dumps(''.join(PAGES[:9]))}\n"
    tiny.toml.write_text(f'{head}language = "python"\n[source]\n{source}\n{settings}')


def written(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Everything below a folder: contents of files, unpacked, and rows of databases."""
    for path in (path for path in root.rglob("*") if path.is_file()):
        data = path.read_bytes()
        yield path, gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        if path.suffix == ".db":
            with sqlite3.connect(path) as database:
                yield path, "\n".join(database.iterdump()).encode()
            database.close()


def assert_nowhere(tiny: Tiny, *outputs: str) -> None:
    for text in outputs:
        assert CANARY not in text
        assert not set(text) & set(RAW)
    for path, data in written(tiny.folder.parent):
        assert CANARY.encode() not in data, path


@pytest.mark.parametrize(
    "url",
    [
        f"https://{CANARY}@github.com/me/thing",
        f"https://oauth2:{CANARY}@gitlab.com/me/thing",
        f"ssh://user:{CANARY}@host/thing",
        f"https://host/thing?private_token={CANARY}",
        f"user:{CANARY}@host",
    ],
)
def test_a_secret_in_a_url_is_refused_wherever_it_can_be_written(tiny, url):
    added = charmill(tiny, "add", url, "--ext", ".py")
    assert "git credential helper" in refused(added)
    repositories = f'source.repositories=[{{url = "{url}"}}]'
    overridden = charmill(tiny, "run", "tiny", "--set", 'source.kind="git"', "--set", repositories)
    refused(overridden)
    downloads = f'source.urls=["{url}"]'
    downloaded = charmill(tiny, "run", "tiny", "--set", 'source.kind="url"', "--set", downloads)
    refused(downloaded)
    assert_nowhere(tiny, *(done.stderr for done in (added, overridden, downloaded)))
    dataset(tiny, f'kind = "git"\n[[source.repositories]]\nurl = "{url}"\n')
    asked = [charmill(tiny, *words.split()) for words in ("run tiny", "plan tiny")]
    listed = charmill(tiny, "datasets")
    assert listed.returncode == 2
    tiny.toml.unlink()
    assert_nowhere(tiny, *map(refused, asked), listed.stdout, listed.stderr)


def test_a_failing_source_leaves_no_secret_and_no_escapes(tiny, site, plain_git):
    login = site.replace("http://", f"http://user:{CANARY}@")
    plain_git.write_text(f'[url "{login}/"]\n insteadOf = https://example.org/\n')
    sources = (
        'kind = "git"\n[[source.repositories]]\nurl = "https://example.org/thing"\n',
        f'kind = "url"\nurls = ["{site}/other.tar"]\n',
        f'kind = "url"\nsource = "x"\nurls = ["{site}/other.tar"]\npassword = "{CANARY}"\n',
    )
    for source in sources:
        dataset(tiny, source)
        done = charmill(tiny, "run", "tiny")
        line = refused(done)
        shown = charmill(tiny, "status", "tiny")
        tiny.toml.unlink()
        assert_nowhere(tiny, line, done.stdout, shown.stdout, shown.stderr)
    page = (tiny.store.root / "index.html").read_text(encoding="utf-8")
    assert EVIL not in page
    assert "403" in page


class Elements(HTMLParser):
    """Collects the elements of a page and their attributes that could run or load something."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.active: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.active += [
            (name, value)
            for name, value in attrs
            if name.startswith("on") or (value or "").lower().startswith(("javascript:", "http"))
            if not name.startswith("xmlns")
        ]


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    return found


def test_a_run_on_hostile_material_keeps_no_secret_and_escapes_every_text(tiny, site):
    dataset(tiny, f'kind = "url"\nurls = ["{site}/code.tar"]\nlicense = "[x](y) {EVIL}"\n')
    done = charmill(tiny, "run", "tiny", PREFECT_LOGGING_ROOT_LEVEL="DEBUG")
    assert done.returncode == 0, done.stderr
    names = "thing/\x1b[2J\x1b[31mred.py"
    asked = ("status",), ("datasets",), ("explain", "tiny", names), ("report", "--all")
    shown = [charmill(tiny, *words) for words in asked]
    outputs = [text for one in (done, *shown) for text in (one.stdout, one.stderr)]
    assert_nowhere(tiny, *outputs)
    assert "U+001B" in shown[2].stdout

    store = Store(tiny.settings.artifacts_root)
    card = (store.runs("corpus", "tiny").last().folder / "README.md").read_text(encoding="utf-8")
    _, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front)["pretty_name"].startswith(EVIL)
    assert "<script" not in body
    assert "](" not in body.replace("\\](", "")
    report = store.runs("evaluate", "tiny").last().folder
    for page in (report / "report.html", store.root / "index.html"):
        found = elements(page.read_text(encoding="utf-8"))
        assert not found.names & {"script", "img", "iframe", "object"}
        assert not found.active
    with sqlite3.connect(store.prefect_home / "prefect.db") as database:
        artifacts = [data for (data,) in database.execute("SELECT data FROM artifact") if data]
    database.close()
    assert len(artifacts) >= 3
    for text in (*artifacts, (report / "report.md").read_text(encoding="utf-8")):
        assert "<script" not in text
        assert "](http://evil" not in text.replace("\\](", "")
        assert not set(text) & set(RAW)
    assert "</script" not in (report / "report.json").read_text(encoding="utf-8")
