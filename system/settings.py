"""The environment variables of charmill, read in this module alone.

Everything else is given a `Settings`, or creates one where no caller can hand it over (a Prefect
task, a source, the native kernel). Creating one takes 0.4 ms, so keep it out of inner loops.

Variables that are not charmill's own are read where they are needed: `CC`, `PATH`,
`XDG_CACHE_HOME`, `OMP_NUM_THREADS`, git's and Prefect's, and `RANK` and `LOCAL_RANK` of torchrun.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from system.errors import SettingsError

PREFIX = "CHARMILL_"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
CHECKOUT = Path(__file__).resolve().parent.parent


def _default_artifacts() -> Path:
    """The checkout's own `artifacts/`, or one in the current folder if charmill is installed."""
    home = CHECKOUT if (CHECKOUT / "pyproject.toml").is_file() else Path.cwd()
    return home / "artifacts"


def _default_state() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state") / "charmill"


def _folder(path: Path) -> Path:
    """Refuse a path at which there cannot be a folder; it need not exist yet."""
    place = Path(os.path.expanduser(path))  # noqa: PTH111 - raises nothing without a home
    nearest = next((one for one in (place, *place.parents) if os.path.exists(one)), place)  # noqa: PTH110
    if os.path.exists(nearest) and not os.path.isdir(nearest):  # noqa: PTH110, PTH112
        raise ValueError(f"{nearest} is not a folder")
    return path


def _address(url: str) -> str:
    """Refuse the address of an API to which a key would be sent unencrypted."""
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or is_local):
        raise ValueError("expected https://host/... or http://127.0.0.1/...")
    return url


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError(f"unknown device {name!r}; known: auto, cpu, cuda, cuda:N, mps")
    return name


Folder = Annotated[Path, AfterValidator(_folder)]
Address = Annotated[str, AfterValidator(_address)]
Device = Annotated[str, AfterValidator(_device)]


class Settings(BaseSettings):
    """What the user sets by environment variables, each named `CHARMILL_` and its field.

    An empty variable counts as unset.

    Raises:
        SettingsError: if a variable has an invalid value; names the variable.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    artifacts: Folder = Field(
        default_factory=_default_artifacts,
        description="root folder of all output (default: artifacts/)",
    )
    datasets: Folder = Field(
        default=Path("~/.config/charmill/datasets"),
        description="folder of your own dataset TOMLs (default: ~/.config/charmill/datasets)",
    )
    device: Device = Field(
        default="auto",
        description="device to train and sample on: auto, cpu, cuda, cuda:N or mps (default: auto)",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="number of training processes, one for each GPU (default: 1)",
    )
    native: bool = Field(
        default=True,
        description="0 to compute in torch instead of the native kernel, which a C compiler "
        "builds at first use (default: 1)",
    )
    tensorboard: Folder | None = Field(
        default=None, description="folder for TensorBoard event files (default: none are written)"
    )
    remote: str | None = Field(
        default=None,
        description="store of finished stages that machines share: s3://bucket/prefix or "
        "file:///folder (default: none)",
    )
    server_hosts: str = Field(
        default="",
        description="further host names of `charmill serve`, for proxies and other machines, as "
        "a.example.org,b (default: none)",
    )
    pages: bool = Field(
        default=False,
        description="switch that makes runs link to the reports on Prefect's server, 1 where that "
        "serves those of this artifacts root; `charmill serve` sets it (default: 0)",
    )
    source_roots: str = Field(
        default="",
        description=f"folders, separated by {os.pathsep!r}, that local sources must be in, of "
        "every kind (default: any folder)",
    )
    state: Folder = Field(
        default_factory=_default_state,
        description="folder of the quota that each YouTube key has spent "
        "(default: ~/.local/state/charmill)",
    )
    youtube_key: SecretStr | None = Field(default=None, description="key for the YouTube Data API")
    youtube_key_file: Path | None = Field(
        default=None, description="file with that key, mode 0600, instead of CHARMILL_YOUTUBE_KEY"
    )
    youtube_endpoint: Address = Field(
        default="https://youtube.googleapis.com/",
        description="address of the YouTube Data API, for tests and proxies",
    )
    github_token: SecretStr | None = Field(
        default=None,
        description="GitHub token, for private repositories and a higher rate limit",
    )
    shared_github_token: SecretStr | None = Field(
        default=None,
        validation_alias="GITHUB_TOKEN",
        description="GitHub token, if CHARMILL_GITHUB_TOKEN is not set",
    )
    github_api: Address = Field(
        default="https://api.github.com",
        description="address of the GitHub API, for GitHub Enterprise",
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0])
            problem = first["msg"].removeprefix("Value error, ")
            raise SettingsError(
                f"{variable(field)}={first['input']}: {problem}; it is the "
                f"{Settings.model_fields[field].description}"
            ) from None

    @property
    def artifacts_root(self) -> Path:
        """The root folder of all output, absolute.

        Raises:
            SettingsError: if there can be no such folder.
        """
        root = self.folder("artifacts").absolute()
        try:
            root.exists()
        except OSError as error:
            raise SettingsError(f"CHARMILL_ARTIFACTS: {root}: {error.strerror}") from None
        return root

    @property
    def dataset_folders(self) -> tuple[Path, ...]:
        """Folders of dataset TOMLs, in addition to those that ship."""
        return (self.folder("datasets"),)

    @property
    def state_folder(self) -> Path:
        """Folder of what is kept for all datasets of a user, absolute."""
        return self.folder("state").absolute()

    @property
    def source_folders(self) -> tuple[Path, ...]:
        """Folders that local sources must be in, resolved; none for no bound.

        Raises:
            SettingsError: if one of them is relative.
        """
        texts = [text for text in self.source_roots.split(os.pathsep) if text.strip()]
        for text in texts:
            if not text.startswith(("/", "~")):
                raise SettingsError(
                    f"{variable('source_roots')}: {text!r} is not an absolute path; expected "
                    f"folders separated by {os.pathsep!r}"
                )
        return tuple(Path(text).expanduser().resolve() for text in texts)

    def folder(self, field: str) -> Path:
        """The path in a field, with `~` expanded.

        Raises:
            SettingsError: if the user has no home folder.
        """
        path: Path = getattr(self, field)
        try:
            return path.expanduser()
        except RuntimeError:
            raise SettingsError(
                f"{path}: there is no such home folder; set {variable(field)} to a folder"
            ) from None


def variable(field: str) -> str:
    """The name of the environment variable of a field."""
    found = Settings.model_fields.get(field)
    alias = found.validation_alias if found else field
    return str(alias) if alias else f"{PREFIX}{field.upper()}"


def documentation() -> dict[str, str]:
    """Every variable and its description."""
    return {
        variable(name): field.description or "" for name, field in Settings.model_fields.items()
    }
