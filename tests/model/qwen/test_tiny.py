"""The tiny checkpoint is what it claims: the real tokenizer, and a model that speaks by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")
transformers = pytest.importorskip("transformers", reason="needs the extra qwen")

if TYPE_CHECKING:
    from transformers import Qwen2_5OmniForConditionalGeneration


def test_words_have_the_numbers_that_qwen_gives_them(tiny: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    assert tokenizer.encode("Hello user") == [9707, 1196]
    assert tokenizer.encode("user") == [872]
    assert tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|AUDIO|>", "<|VIDEO|>"]) == [
        151645,
        151646,
        151656,
    ]
    assert tokenizer.encode("<tool_call>\n") == [151657, 198]
    text = "Guten Morgen, 早上好! 🙂\n\n  x = [1, 2]"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_its_speech_is_sound_and_each_voice_has_its_own(
    tiny: Path, reference: Qwen2_5OmniForConditionalGeneration
) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "How are you?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    said = {}
    for speaker in ("Chelsie", "Ethan"):
        torch.manual_seed(0)
        text, sound = reference.generate(
            **prompt,
            speaker=speaker,
            thinker_max_new_tokens=8,
            thinker_do_sample=False,
            talker_max_new_tokens=24,
        )
        said[speaker] = sound
        assert text[0, -8:].unique().numel() > 4
        assert sound.shape == (24 * 480,)
        assert 0.02 < sound.std() < 0.5
        assert sound.abs().max() < 1
    assert (said["Chelsie"] - said["Ethan"]).abs().max() > 0.01
