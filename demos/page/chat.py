"""The chat panel: text, pictures and recordings, with the same agents as the call."""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from omni_agent.agent import Agent
from omni_agent.conversation import Conversation
from omni_agent.errors import MediaError, OmniAgentError
from omni_agent.events import (
    Event,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    UserTranscript,
)
from omni_agent.media import Audio
from page.blocks import module, panel
from page.words import words

logger = logging.getLogger("omni_agent.demo")

Entry = dict[str, Any]
"""One message as gr.Chatbot takes it."""

LONGEST = 4000  # characters of one message
MOST_FILES = 4
_LOOK_EVERY = 3.0  # seconds between two looks for what an agent says unasked


@dataclass(eq=False)
class Talk:
    """One tab's conversation with an agent. `language` is that of the page."""

    agent: str
    conversation: Conversation
    language: str = "en"
    unasked: list[str] = field(default_factory=list)
    _listening: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Collect what tools want to say by themselves, such as a timer that rings."""
        self._listening = asyncio.create_task(self._collect())

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        await self.conversation.close()

    async def _collect(self) -> None:
        async for text in self.conversation.announcements():
            self.unasked.append(text)


class Chat:
    """`build` adds the panel to the blocks under way."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = dict(agents)
        self._loop: asyncio.AbstractEventLoop | None = None

    def build(self) -> None:
        first = next(iter(self._agents))
        with panel("chat"):
            head = module("chat_head", value="en")
            talk = gr.State(None, delete_callback=self._left)
            with gr.Row(elem_id="chat-bar"):
                who = gr.Radio(self._names("en"), value=first, show_label=False, elem_id="chat-who")
                aloud = gr.Checkbox(False, label=words("en", "chat.aloud"), elem_id="chat-aloud")
                new = gr.Button(words("en", "chat.new"), elem_id="chat-new", size="sm")
            log = gr.Chatbot(
                show_label=False,
                render_markdown=False,
                buttons=["copy"],
                layout="bubble",
                height="100%",
                elem_id="chat-log",
                placeholder=words("en", "chat.empty"),
            )
            box = gr.MultimodalTextbox(
                show_label=False,
                placeholder=words("en", "chat.asks"),
                file_types=["image", "audio"],
                file_count="multiple",
                sources=["upload", "microphone"],
                stop_btn=False,
                elem_id="chat-box",
            )
            looking = gr.Timer(_LOOK_EVERY)

            sent = box.submit(
                self.answer,
                [box, log, talk, who, aloud, head],
                [log, box, talk],
                show_progress="hidden",
            )
            box.stop(self._stopped, [log, head], [log, box], cancels=[sent], show_progress="hidden")
            for again in (new.click, who.change):
                again(self._begin, [talk], [log, box, talk], cancels=[sent])
            looking.tick(self._look, [log, talk], [log], show_progress="hidden", queue=False)
            head.change(self._relabel, [head], [who, aloud, new, log, box], show_progress="hidden")

    # --- answering ---------------------------------------------------------------------------

    async def answer(
        self,
        message: dict[str, Any],
        log: list[Entry],
        talk: Talk | None,
        agent: str,
        aloud: bool,
        language: str,
    ) -> AsyncIterator[tuple[list[Entry], Any, Talk | None]]:
        """Stream a turn into the log: [the log, the box, the talk] after each step."""
        text = str(message.get("text") or "").strip()[:LONGEST]
        files = [Path(path) for path in (message.get("files") or ())][:MOST_FILES]
        if not text and not files:
            yield log, gr.skip(), talk
            return
        if talk is None or talk.agent != agent:
            talk = Talk(agent, self._agents[agent].conversation())
            talk.listen()
            self._loop = asyncio.get_running_loop()
        talk.language = language
        said = [_file(file) for file in files]
        if text:
            said.append({"role": "user", "content": plain(text)})
        log = [*log, *said]
        busy = gr.MultimodalTextbox(value=None, submit_btn=False, stop_btn=True)
        yield [*log, {"role": "assistant", "content": "…"}], busy, talk
        try:
            events = talk.conversation.stream(
                *([text] if text else []), *files, speak=True if aloud else None
            )
            async with aclosing(_shown(events, log, language)) as shown:
                async for now in shown:
                    log = now
                    yield log, gr.skip(), talk
        except MediaError as error:
            why = words(language, "chat.cannotRead", name=files[0].name, why=str(error))
            log = [*log, _trouble(why)]
        except OmniAgentError as error:
            log = [*log, _trouble(str(error))]
        yield log, gr.MultimodalTextbox(submit_btn=True, stop_btn=False, interactive=True), talk

    async def _stopped(self, log: list[Entry], language: str) -> tuple[list[Entry], Any]:
        note = {"role": "assistant", "content": words(language, "chat.stopped")}
        return [*log, note], gr.MultimodalTextbox(submit_btn=True, stop_btn=False)

    async def _begin(self, talk: Talk | None) -> tuple[list[Entry], Any, None]:
        if talk is not None:
            await talk.close()
        return [], gr.MultimodalTextbox(value=None, submit_btn=True, stop_btn=False), None

    async def _look(self, log: list[Entry], talk: Talk | None) -> Any:
        if talk is None or not talk.unasked:
            return gr.skip()
        texts, talk.unasked = talk.unasked, []
        for text in texts:
            async for _ in talk.conversation.say(text, speak=False):
                pass
            log = [*log, {"role": "assistant", "content": plain(text)}]
        return log

    def _left(self, talk: Talk | None) -> None:
        """The tab was closed; called from a thread of Gradio's."""
        if talk is not None and self._loop is not None and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(talk.close(), self._loop)

    # --- words -------------------------------------------------------------------------------

    def _names(self, language: str) -> list[tuple[str, str]]:
        return [(words(language, f"agent.{id}"), id) for id in self._agents]

    def _relabel(self, language: str) -> list[Any]:
        return [
            gr.Radio(choices=self._names(language)),
            gr.Checkbox(label=words(language, "chat.aloud")),
            gr.Button(words(language, "chat.new")),
            gr.Chatbot(placeholder=words(language, "chat.empty")),
            gr.MultimodalTextbox(placeholder=words(language, "chat.asks")),
        ]


async def _shown(
    events: AsyncGenerator[Event, None], log: list[Entry], language: str
) -> AsyncGenerator[list[Entry], None]:
    """The log after each event; a tool is an entry of its own, as the answer is."""
    steps: list[Entry] = []
    tools: dict[str, Entry] = {}
    answer = ""
    async with aclosing(events):
        async for event in events:
            match event:
                case UserTranscript(text=heard) if heard:
                    note = words(language, "chat.heard", words=plain(heard))
                    steps.append({"role": "user", "content": note})
                case ToolStarted(call=call):
                    entry = _tool(call.name, "", "pending", language)
                    tools[call.id] = entry
                    steps.append(entry)
                case ToolFinished(call=call, result=result, seconds=seconds):
                    done = _tool(call.name, result.say or result.content, "done", language)
                    done["metadata"]["duration"] = seconds
                    steps[steps.index(tools[call.id])] = done
                case TextDelta(text=more, filler=False):
                    answer += more
                case TurnFinished(reply=reply):
                    answer = reply.text
                    if reply.audio is not None:
                        steps.append({"role": "assistant", "content": _player(reply.audio)})
                case _:
                    continue
            said = [{"role": "assistant", "content": plain(answer)}] if answer else []
            yield [*log, *steps, *said]


def plain(text: str) -> str:
    """Text that Gradio's chatbot shows as it is: it takes everything for HTML."""
    return html.escape(text, quote=False)


def _file(path: Path) -> Entry:
    return {"role": "user", "content": {"path": str(path)}}


def _tool(name: str, result: str, status: str, language: str) -> Entry:
    try:
        title = words(language, f"tool.{name}")
    except KeyError:
        title = name.replace("_", " ")
    return {
        "role": "assistant",
        "content": plain(result[:1000]) or " ",
        "metadata": {"title": plain(title), "status": status},
    }


def _trouble(message: str) -> Entry:
    return {"role": "assistant", "content": f"⚠ {plain(message)}"}


def _player(audio: Audio) -> gr.Audio:
    samples = (audio.samples * 32767).clip(-32768, 32767).astype("int16")
    return gr.Audio((audio.rate, samples), autoplay=True, buttons=[], show_label=False)
