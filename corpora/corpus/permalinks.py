"""Where a file of a corpus can be read: a link to it at the very commit."""

from collections.abc import Mapping
from urllib.parse import quote

from corpora.sources import GithubAccountSource, GitSource

FORGES = {"github.com": "blob", "gitlab.com": "-/blob", "codeberg.org": "src/commit"}


def permalink(source: object, found: Mapping[str, str], label: str, path: str) -> str | None:
    """Link to `path` of the repository `label`, None where there is no such page.

    Args:
        source: of the dataset, as it was fetched.
        found: repository to commit, what the fetch resolved.
    """
    if isinstance(source, GithubAccountSource):
        named = {name.rsplit("/", 1)[-1]: name for name in found}
        if label not in named:
            return None
        project = named[label]
        return f"https://github.com/{project}/blob/{found[project]}/{quote(path)}"
    if not isinstance(source, GitSource):
        return None
    for repository in source.repositories:
        host, _, project = repository.url.removeprefix("https://").partition("/")
        if repository.label == label and host in FORGES and label in found:
            place = f"{FORGES[host]}/{found[label]}/{quote(path)}"
            return f"https://{host}/{project.removesuffix('.git')}/{place}"
    return None
