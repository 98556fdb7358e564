"""Every error a user of omni_agent can meet, in one tree under `OmniAgentError`.

A message names what was wrong, where, and what to do about it, with the offending value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omni_agent.events import Reply


class OmniAgentError(Exception):
    """The root of every error raised on purpose by this package."""


class MissingExtra(OmniAgentError, ImportError):
    """A part that is not installed was asked for; says which extra brings it."""

    def __init__(self, package: str, extra: str, *, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs the package `{package}`, which is not installed. "
            f'Install it with: pip install "omni-agent[{extra}]"'
        )
        self.package = package
        self.extra = extra


class SettingsError(OmniAgentError, ValueError):
    """A setting or argument has a value that cannot be used."""


class UsageError(OmniAgentError, RuntimeError):
    """Called at a moment when that cannot work: after closing, or a sync twin in async code."""


# --- what comes in ---------------------------------------------------------------------------


class MediaError(OmniAgentError, ValueError):
    """Sound, an image or a video cannot be used."""


class UnreadableMedia(MediaError):
    """The bytes are empty, truncated, or in no format that is known here."""


class MediaTooLarge(MediaError):
    """Longer, wider or heavier than the stated limit."""


# --- the model -------------------------------------------------------------------------------


class ModelError(OmniAgentError):
    """The model cannot be opened or cannot go on."""


class UnknownModel(ModelError, ValueError):
    """No model goes by this name."""


class ModelLoadError(ModelError):
    """The model's files are there but cannot be used."""


class UnsupportedInput(ModelError, ValueError):
    """The model's profile does not include what it was given or asked for."""


class ContextFull(ModelError):
    """The conversation no longer fits into the model's context."""


class GenerationError(ModelError):
    """The model broke down in the middle of a reply; the session lives on."""


# --- the catalog -----------------------------------------------------------------------------


class CatalogError(OmniAgentError):
    """A model file cannot be had."""


class UnknownArtifact(CatalogError, ValueError):
    """No artifact of this name is in the catalog."""


class DownloadFailed(CatalogError):
    """Every source of an artifact was tried; the message lists each with its reason."""


class VerificationFailed(CatalogError):
    """A file's size or SHA-256 is not what the catalog states."""


class DiskFull(CatalogError, OSError):
    """There is not enough room for a file."""


# --- tools -----------------------------------------------------------------------------------


class ToolError(OmniAgentError):
    """A tool is not usable or did not do its work; raise it inside a tool to tell the model why."""


class ToolDefinitionError(ToolError, TypeError):
    """A function cannot be made into a tool."""


# --- recipes ---------------------------------------------------------------------------------


class RecipeError(OmniAgentError, ValueError):
    """A recipe file cannot be used; the message names the file and the line."""


# --- memory ----------------------------------------------------------------------------------


class MemoryStoreError(OmniAgentError):
    """The memory folder cannot be used."""


class TurnNotRemembered(MemoryStoreError):
    """The answer was given, but could not be written into the memory; `reply` holds it."""

    def __init__(self, reply: Reply, reason: Exception) -> None:
        super().__init__(
            f"the answer was given, but the turn could not be written into the memory: {reason}"
        )
        self.reply = reply


class MemoryInUse(MemoryStoreError):
    """Another process owns the memory folder."""


class MemoryServerAway(MemoryStoreError):
    """The Chroma server that a memory's index is on does not answer."""


class MemoryReadOnly(MemoryStoreError):
    """The memory folder cannot be written to."""


class MemoryCorrupt(MemoryStoreError):
    """The ledger is damaged; nothing was changed."""


class MemoryTooNew(MemoryStoreError):
    """The ledger was written by a newer version of this package; nothing was changed."""


class MemorySealed(MemoryStoreError):
    """Prints and pictures are encrypted, and their key cannot be had."""


class UnknownPerson(OmniAgentError, ValueError):
    """Nobody in the memory has this id; they may have been forgotten."""


# --- devices ---------------------------------------------------------------------------------


class DeviceError(OmniAgentError):
    """A microphone, loudspeaker or camera is missing or was refused."""


# --- recorded calls --------------------------------------------------------------------------


class RecordingError(OmniAgentError, ValueError):
    """A call cannot be recorded there, or what was recorded cannot be read."""
