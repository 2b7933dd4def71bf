"""A fake of GitHub's API, limited to listing the repositories of an account."""

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

ACCOUNT = "some-one"


@dataclass
class Fake:
    """GitHub's API for listing repositories; each request consumes one of `faults`."""

    repositories: list
    kind: str = "User"
    page: int = 2
    viewer: str | None = None
    faults: list = field(default_factory=list)
    requests: list = field(default_factory=list)

    def paths(self):
        return [path for path, _ in self.requests]

    def answer(self, path, query):
        account = {"login": ACCOUNT, "type": self.kind, "url": path}
        if path in (f"/users/{ACCOUNT}", f"/orgs/{ACCOUNT}"):
            return account
        if path == "/user":
            return {"login": self.viewer, "type": "User", "url": "/user"}
        if path == "/user/repos":
            return self.repositories
        if path in (f"/users/{ACCOUNT}/repos", f"/orgs/{ACCOUNT}/repos"):
            everything = query.get("type") == ["all"]
            return [r for r in self.repositories if everything or not r["private"]]
        return None


class Handler(BaseHTTPRequestHandler):
    fake: Fake

    def log_message(self, format, *args):  # noqa: A002
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        self.fake.requests.append((parts.path, self.headers.get("Authorization")))
        if self.fake.faults:
            self.reply(*self.fake.faults.pop(0))
            return
        data = self.fake.answer(parts.path, query)
        if data is None:
            self.reply(404, {"message": "Not Found"}, {})
        elif isinstance(data, list):
            number, size = int(query.get("page", ["1"])[0]), self.fake.page
            place = f"http://{self.headers['Host']}{parts.path}?type={query.get('type', [''])[0]}"
            more = number * size < len(data)
            link = {"Link": f'<{place}&page={number + 1}>; rel="next"'} if more else {}
            self.reply(200, data[(number - 1) * size : number * size], link)
        else:
            self.reply(200, data, {})

    def reply(self, status, data, headers):
        body = json.dumps(data).encode()
        self.send_response(status)
        sent = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        for name, value in (sent | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def row(root, **changes):
    return {
        "name": root.name,
        "full_name": f"{ACCOUNT}/{root.name}",
        "url": f"/repos/{ACCOUNT}/{root.name}",
        "clone_url": f"file://{root}",
        "license": {"key": "mit", "spdx_id": "MIT", "url": None},
        "topics": [],
        "size": 10,
        "fork": False,
        "archived": False,
        "disabled": False,
        "private": False,
    } | changes
