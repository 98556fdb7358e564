"""What a client asked the session to be, as `session.update` says it, and what of it is meant.

Updates are merged deeply. Where a wish cannot be had but nothing breaks without it (another
provider's voice or transcriber, noise reduction, tracing), ours stays and is what is echoed.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from omni_agent.listening import Listening, Patience
from omni_agent.messages import ToolSpec
from omni_agent.model.base import ModelProfile
from omni_agent.server.limits import Limits
from omni_agent.server.sound_formats import SoundFormat
from omni_agent.server.wire import BadEvent

_LONGEST_INSTRUCTIONS = 64_000
_LONGEST_TOOL = 32_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Format(_Part):
    type: SoundFormat = "audio/pcm"
    rate: Literal[24_000] | None = 24_000


class _TurnDetection(_Part):
    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    create_response: bool = True
    interrupt_response: bool = True
    threshold: float | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None
    idle_timeout_ms: int | None = None
    eagerness: Literal["low", "medium", "high", "auto"] | None = None


class _Transcription(_Part):
    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class _Input(_Part):
    format: _Format = _Format()
    noise_reduction: dict[str, Any] | None = None
    transcription: _Transcription | None = _Transcription()
    turn_detection: _TurnDetection | None = _TurnDetection()


class _Output(_Part):
    format: _Format = _Format()
    voice: str | dict[str, Any] | None = None
    speed: float = 1.0


class _Audio(_Part):
    input: _Input = _Input()
    output: _Output = _Output()


class _FunctionTool(_Part):
    type: Literal["function"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
    description: str = ""
    parameters: dict[str, Any] | None = None


class _Session(_Part):
    type: Literal["realtime"] = "realtime"
    output_modalities: list[Literal["text", "audio"]] = ["audio"]
    instructions: Annotated[str, Field(max_length=_LONGEST_INSTRUCTIONS)] = ""
    tools: list[_FunctionTool] = []
    tool_choice: str | dict[str, Any] = "auto"
    max_output_tokens: int | Literal["inf"] = "inf"
    audio: _Audio = _Audio()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a session means for the call; None leaves to the agent what it has.

    `instructions` are the agent's own and then the client's. `tools` are the client's, which runs
    them itself.
    """

    instructions: str | None
    tools: tuple[ToolSpec, ...]
    voice: str | None
    language: str | None
    listening: Listening
    speak: bool
    answers: bool


class Session:
    """The session of one connection. `id`, `model` and the agent's own instructions stay."""

    def __init__(
        self, id: str, model: str, *, instructions: str, voice: str | None, profile: ModelProfile
    ) -> None:
        self.id = id
        self.model = model
        self._own_instructions = instructions
        self._own_voice = voice or (profile.voices[0] if profile.voices else None)
        self._profile = profile
        speaks = "audio" in profile.gives
        self._now = _Session(
            instructions=instructions,
            output_modalities=["audio" if speaks else "text"],
            audio=_Audio(
                input=_Input(transcription=_Transcription(model=profile.name)),
                output=_Output(voice=self._own_voice),
            ),
        )

    def update(self, changes: dict[str, Any], limits: Limits) -> frozenset[str]:
        """Merge changes in; the names of the wishes that are others now.

        Raises BadEvent, and nothing has changed, where one cannot be used.
        """
        merged = _merged(self._now.model_dump(), changes)
        try:
            new = _Session.model_validate(merged)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(["session", *map(str, problem["loc"])])
            given = repr(problem.get("input"))
            raise BadEvent(
                f"{where} is {given[:80]}: {problem['msg']}", code="invalid_value", param=where
            ) from error
        _check_tools(new.tools, limits)
        before, self._now = self.wishes, self._settled(new)
        now = self.wishes
        return frozenset(
            wish.name
            for wish in fields(Wishes)
            if getattr(before, wish.name) != getattr(now, wish.name)
        )

    def as_wire(self) -> dict[str, Any]:
        now = self._now.model_dump()
        audio = now["audio"]
        for format in (audio["input"]["format"], audio["output"]["format"]):
            if format["type"] != "audio/pcm":
                del format["rate"]
        if (detection := audio["input"]["turn_detection"]) is not None:
            others = ("threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms")
            unused = others if detection["type"] == "semantic_vad" else ("eagerness",)
            audio["input"]["turn_detection"] = {
                key: value for key, value in detection.items() if key not in unused
            }
        return {
            "object": "realtime.session",
            "id": self.id,
            "model": self.model,
            **now,
            "tracing": None,
            "prompt": None,
            "include": None,
        }

    # --- what is meant by it -----------------------------------------------------------------

    @property
    def wishes(self) -> Wishes:
        return self._wishes(self._now)

    @property
    def push_to_talk(self) -> bool:
        return self._now.audio.input.turn_detection is None

    @property
    def transcribes(self) -> bool:
        return self._now.audio.input.transcription is not None

    @property
    def voice(self) -> str | None:
        """The voice that sounds, chosen or not."""
        voice = self._now.audio.output.voice
        return voice if isinstance(voice, str) else None

    @property
    def sound_in(self) -> SoundFormat:
        return self._now.audio.input.format.type

    @property
    def sound_out(self) -> SoundFormat:
        return self._now.audio.output.format.type

    def _wishes(self, session: _Session) -> Wishes:
        own, heard = self._own_instructions, session.audio.input
        instructions = None
        if session.instructions != own:
            instructions = f"{own}\n\n{session.instructions}".strip()
        voice = session.audio.output.voice
        return Wishes(
            instructions=instructions,
            tools=() if session.tool_choice == "none" else tuple(map(_spec, session.tools)),
            voice=voice if isinstance(voice, str) and voice != self._own_voice else None,
            language=heard.transcription.language if heard.transcription is not None else None,
            listening=_listening(heard.turn_detection),
            speak="audio" in session.output_modalities,
            answers=heard.turn_detection is None or heard.turn_detection.create_response,
        )

    def _settled(self, new: _Session) -> _Session:
        """With what can only be as it is put back, so that the echo tells the truth."""
        voice = new.audio.output.voice
        if isinstance(voice, dict):
            voice = voice.get("id")
        if voice not in self._profile.voices:
            voice = self._now.audio.output.voice
        output = new.audio.output.model_copy(update={"voice": voice, "speed": 1.0})
        heard = new.audio.input.model_copy(update={"noise_reduction": None})
        if heard.transcription is not None:
            language = heard.transcription.language
            known = language if language in self._profile.languages else None
            settled = _Transcription(model=self._profile.name, language=known)
            heard = heard.model_copy(update={"transcription": settled})
        speaks = "audio" in new.output_modalities and "audio" in self._profile.gives
        return new.model_copy(
            update={
                "instructions": new.instructions or self._own_instructions,
                "output_modalities": ["audio" if speaks else "text"],
                "audio": _Audio(input=heard, output=output),
            }
        )


def tool_spec(name: str, description: str, parameters: dict[str, Any] | None) -> ToolSpec:
    """A client's function as a model is told of it."""
    schema = {"type": "object", "properties": {}, **(parameters or {})}
    schema = {key: value for key, value in schema.items() if not key.startswith("$")}
    return ToolSpec(name, description or name.replace("_", " "), schema)


def _listening(detection: _TurnDetection | None) -> Listening:
    """Silence of a length that the client names ends a turn; else what was said decides too."""
    if detection is None:
        return Listening(turns="push-to-talk")
    settings: dict[str, Any] = {"interrupt": detection.interrupt_response}
    if detection.type == "semantic_vad":
        settings |= _EAGERNESS[detection.eagerness or "auto"]
        return Listening(**settings)
    if detection.silence_duration_ms is not None:
        settings["judge"] = "silence"
        settings["silence_ms"] = _within(100, detection.silence_duration_ms, 10_000)
    if detection.threshold is not None:
        settings["speech_from"] = _within(0.05, detection.threshold, 0.95)
        settings["silence_below"] = min(0.35, settings["speech_from"])
    if detection.prefix_padding_ms is not None:
        settings["preroll_ms"] = _within(0, detection.prefix_padding_ms, 2000)
    return Listening(**settings)


def _within(least: float, value: float, most: float) -> float:
    return min(max(least, value), most)


_EAGERNESS: dict[str, dict[str, Patience]] = {
    "low": {"patience": Patience(least_ms=500, most_ms=4000)},
    "medium": {},
    "auto": {},
    "high": {"patience": Patience(least_ms=200, most_ms=1000)},
}


def _spec(tool: _FunctionTool) -> ToolSpec:
    return tool_spec(tool.name, tool.description, tool.parameters)


def _check_tools(tools: list[_FunctionTool], limits: Limits) -> None:
    names = [tool.name for tool in tools]
    if len(names) > limits.tools:
        raise BadEvent(
            f"session.tools has {len(names)} tools; {limits.tools} are allowed",
            code="invalid_value",
            param="session.tools",
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadEvent(
            f"two tools are called {twice[0]!r}; rename one",
            code="invalid_value",
            param="session.tools",
        )
    for tool in tools:
        if len(json.dumps(tool.parameters)) > _LONGEST_TOOL:
            raise BadEvent(
                f"the parameters of {tool.name!r} are longer than {_LONGEST_TOOL} characters",
                code="invalid_value",
                param="session.tools",
            )


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`new` over `old`, level by level. What is of another type now begins from its defaults."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            same = "type" not in value or value["type"] == before.get("type")
            merged[key] = _merged(before, value) if same else copy.deepcopy(value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged
