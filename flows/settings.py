"""The environment, read in one place.

Every other module gets what it needs from a `Settings` that is handed to it.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parent.parent


def _default_artifacts() -> Path:
    """The checkout's own `artifacts/`, or one in the current folder when installed elsewhere."""
    home = CHECKOUT if (CHECKOUT / "pyproject.toml").is_file() else Path.cwd()
    return home / "artifacts"


class Settings(BaseSettings):
    """What the user sets by environment variables; each is named `CHARMILL_` and its field."""

    model_config = SettingsConfigDict(env_prefix="CHARMILL_", frozen=True)

    artifacts: Path = Field(
        default_factory=_default_artifacts, description="root of everything that is written"
    )
    datasets: Path = Field(
        default=Path("~/.config/charmill/datasets"),
        description="folder of your own dataset TOMLs, read beside those that ship",
    )
    device: str = Field(
        default="auto", description="where to train and sample: auto, cpu, cuda, cuda:N or mps"
    )
    processes: int = Field(
        default=1, ge=1, le=1024, description="processes that train together: one for each GPU"
    )
    tensorboard: Path | None = Field(
        default=None, description="folder for TensorBoard event files; none are written without it"
    )

    remote: str | None = Field(
        default=None,
        description="store of finished stages that machines share: s3://bucket/prefix or "
        "file:///folder; none without it",
    )
    server_hosts: str = Field(
        default="",
        description="names, separated by commas, by which proxies and other machines reach the "
        "server of `charmill serve`",
    )

    @property
    def artifacts_root(self) -> Path:
        """The root of the outputs, absolute."""
        return self.artifacts.expanduser().absolute()

    @property
    def dataset_folders(self) -> tuple[Path, ...]:
        """Folders of TOMLs to read beside those that ship."""
        return (self.datasets.expanduser(),)
