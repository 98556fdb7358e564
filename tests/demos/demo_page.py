"""The page as its user has it: what can be done there, and what is seen and heard."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

RECORDER = """
registerProcessor('recorder', class extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(input[0].slice());
    return true;
  }
});
"""
"""A processor that gives away every sample it gets; the test's server has it at /recorder.js."""

_RECORD = """
async root => {
  const { output } = root.call.playback;
  await output.context.audioWorklet.addModule('/recorder.js');
  const recorder = new AudioWorkletNode(output.context, 'recorder', { numberOfOutputs: 0 });
  window.recorded = [];
  recorder.port.onmessage = ({ data }) => window.recorded.push(...data);
  output.connect(recorder);
}
"""
_ROOT = "#module-call-panel .omni"


def until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)


class DemoPage:
    """`errors`: what the browser complained about. `outside`: requests that left this machine."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._noted)
        self.page.on("request", self._asked)
        self.url = url

    def open(self, panel: str = "call") -> DemoPage:
        self.page.goto(f"{self.url}#{panel}")
        self.page.wait_for_selector(".stage", state="attached")
        return self

    @property
    def root(self) -> Any:
        return self.page.locator(_ROOT)

    @property
    def stage(self) -> Any:
        return self.page.locator(".stage")

    def call(self, *, agent: str | None = None) -> DemoPage:
        """Start the call and wait until it stands."""
        if agent is not None:
            self.page.locator(f".agent-card[data-agent='{agent}']").click()
        self.page.locator(".dock .call").click()
        self.page.wait_for_selector(".stage[data-phase='on']")
        return self

    def hang_up(self) -> None:
        self.page.locator(".dock .call").click()
        self.page.wait_for_selector(".stage[data-phase='off']")

    def write(self, words: str) -> None:
        self.page.locator(".composer textarea").fill(words)
        self.page.keyboard.press("Enter")

    def wait_state(self, state: str) -> None:
        self.page.wait_for_selector(f".stage[data-phase='on'][data-state='{state}']")

    def states(self) -> None:
        """Begin to take down the states that are shown."""
        self.page.evaluate(
            """() => { window.states = [];
                 const stage = document.querySelector('.stage');
                 new MutationObserver(() => {
                   const { phase, state } = stage.dataset;
                   const now = phase === 'on' ? state : phase;
                   if (window.states.at(-1) !== now) window.states.push(now);
                 }).observe(stage, { attributes: true }); }"""
        )

    @property
    def shown_states(self) -> list[str]:
        return list(self.page.evaluate("window.states"))

    # --- sound -------------------------------------------------------------------------------

    def record(self) -> None:
        """Begin to take down what comes out of the page."""
        self.page.evaluate(f"({_RECORD})(document.querySelector('{_ROOT}'))")

    def recorded(self) -> np.ndarray:
        """float32 [n] at 24 kHz."""
        blocks = self.page.evaluate("window.recorded")
        return np.array(blocks, np.float32)

    # --- inside ------------------------------------------------------------------------------

    def _noted(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, request: Any) -> None:
        local = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
        if not request.url.startswith(local):
            self.outside.append(request.url)
