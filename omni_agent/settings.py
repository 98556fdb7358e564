"""Where files are kept and what may be fetched: each setting is an `OMNI_AGENT_…` variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from platformdirs import user_cache_path, user_data_path
from pydantic import AfterValidator, AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from omni_agent.errors import SettingsError

Folder = Annotated[Path, AfterValidator(Path.expanduser)]


class Settings(BaseSettings):
    """Read from the environment: `OMNI_AGENT_CACHE_DIR=/big/disk omni-agent models pull`."""

    model_config = SettingsConfigDict(
        env_prefix="OMNI_AGENT_", populate_by_name=True, frozen=True, extra="forbid"
    )

    cache_dir: Folder = Field(
        default_factory=lambda: user_cache_path("omni-agent"),
        description="What can be fetched or made again: model files, saved prompts, map tiles.",
    )
    data_dir: Folder = Field(
        default_factory=lambda: user_data_path("omni-agent"),
        description="What cannot: memories, recipes of your own.",
    )
    memory_dir: Folder = Field(
        default_factory=lambda data: data["data_dir"] / "memory",
        description="The memory folder.",
    )
    local_models: Folder | None = Field(
        default=None,
        validation_alias=AliasChoices("OMNI_AGENT_MODELS", "OMNI_AGENT_LOCAL_MODELS"),
        description="A folder that already holds model files; it is only read.",
    )
    contact: str | None = Field(
        default=None,
        description="Your e-mail address or web page, told to public map servers: they require it.",
    )
    offline: bool = Field(default=False, description="Fetch nothing from any network.")


def load_settings() -> Settings:
    """The settings of this process. Raises SettingsError with the variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else "?"
            variable = name if name.isupper() else f"OMNI_AGENT_{name.upper()}"
            lines.append(f"{variable}={problem['input']!r}: {problem['msg']}")
        raise SettingsError("a setting cannot be used: " + "; ".join(lines)) from error
