"""One reply's voice: what the Thinker made of each token goes in, sound comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from omni_agent.model.qwen.codec_windows import CODES, SpeakerFeatures
from omni_agent.model.qwen.pace import Pace
from omni_agent.model.qwen.talker import MAX_CODES, TalkerContext
from omni_agent.model.qwen.token2wav import SAMPLES_PER_CODE, CodecVoice, SpeechPiece

CODES_PER_SECOND = 50


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker as Talker and codec take it. `pace` is learnt while it speaks."""

    name: str
    bos_token: int
    features: SpeakerFeatures
    codec: CodecVoice
    pace: Pace = field(default_factory=Pace)


class Voicing:
    """A reply of one voice: `feed` for each token to be spoken, `close` after the last, `step` for
    each code; and `end` when it is over or called off.

    `preview`: the first sound comes after 12 codes instead of 24. `ended`: the Talker has found
    its end, or has made `max_codes`, before which it should have.
    """

    def __init__(
        self, talker: TalkerContext, voice: Voice, *, seed: int | None = None, preview: bool = False
    ) -> None:
        self._talker = talker
        self._voice = voice
        self._seed = seed
        self._stream = voice.codec.begin(voice.features, seed=seed, preview=preview)
        self.max_codes = MAX_CODES
        self._first = CODES if preview else 2 * CODES  # codes that the first sound needs
        self.begun = self.closed = self.ended = self.stopped_itself = False
        self.codes = 0  # that have been taken, of those with a sound

    @property
    def seconds(self) -> float:
        """Of speech, as far as its codes are known."""
        return self.codes * SAMPLES_PER_CODE / 24_000

    def feed(self, talker_input: Tensor) -> None:
        """The next token to be spoken, [d]. The first makes the first code."""
        if not self.begun:
            self._talker.begin(self._voice.bos_token, talker_input, seed=self._seed)
            self.begun = True
        elif not self.ended and self._made < self.max_codes:
            self._talker.push(talker_input)

    def close(self) -> None:
        """There are no more tokens."""
        if self.begun and not self.closed and not self.ended:
            self._talker.close()
        self.closed = True
        self.ended = self.ended or not self.begun

    @property
    def can_go_on(self) -> bool:
        """Whether the next code can be made without waiting for the Thinker."""
        return not self.ended and self._made < self.max_codes and self._talker.ready()

    @property
    def _made(self) -> int:
        return self.codes + self._talker.pending

    def step(self) -> list[SpeechPiece]:
        """Make a code, and take the one before it; what can be heard now."""
        if going_on := self.can_go_on:
            self._talker.step()
        # While the device makes a code, the host takes the one before it, so that neither waits.
        late = going_on and self._made != self._first
        codes: list[int] = []
        while self._talker.pending > late and not self.ended:
            code = self._talker.take()
            if code in self._talker.stops:
                self.ended = self.stopped_itself = True
            else:
                codes.append(code)
        self.ended = self.ended or not (going_on or codes)
        self.codes += len(codes)
        return self._stream.push(codes)

    def finish(self) -> list[SpeechPiece]:
        """The rest of the sound, once it has `ended`."""
        return self._stream.finish()

    def end(self) -> None:
        """Leave the Talker as it was before the reply."""
        self._talker.cut_to_prompt()
