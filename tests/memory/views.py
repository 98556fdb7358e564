"""Pictures of places: rooms drawn at random, things put into them, and a camera's noise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import PIL.Image
import PIL.ImageDraw

from omni_agent.media import Image

WIDTH, HEIGHT = 320, 240
START = datetime(2026, 3, 1, 18, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def room(number: int) -> Image:
    """Walls, a table and some furniture; another number is another room."""
    rng = np.random.default_rng(number)
    picture = PIL.Image.new("RGB", (WIDTH, HEIGHT), tuple(rng.integers(150, 230, 3).tolist()))
    draw = PIL.ImageDraw.Draw(picture)
    for _ in range(30):
        x, y = int(rng.integers(-30, WIDTH)), int(rng.integers(-30, HEIGHT))
        size = rng.integers(20, 110, 2).tolist()
        colour = tuple(rng.integers(20, 235, 3).tolist())
        draw.rectangle((x, y, x + size[0], y + size[1]), fill=colour)
    draw.rectangle((0, 165, WIDTH, HEIGHT), fill=(150, 110, 70))
    return Image(np.array(picture))


def with_thing(view: Image, x: int, y: int, width: int, height: int, grey: int = 20) -> Image:
    pixels = view.pixels.copy()
    down, across = slice(max(0, y), max(0, y + height)), slice(max(0, x), max(0, x + width))
    pixels[down, across] = grey
    return Image(pixels)


def camera(view: Image, rng: np.random.Generator) -> Image:
    """As a camera gives it that stands still: noise, and light that drifts a little."""
    light = np.float32(rng.uniform(0.97, 1.03))
    noise = 4 * rng.standard_normal(view.pixels.shape, np.float32)
    return Image(np.clip(view.pixels * light + noise, 0, 255).astype(np.uint8))


def frames(view: Image, seconds: float, fps: float = 2.0, seed: int = 0) -> Iterator[Image]:
    rng = np.random.default_rng(seed)
    for _ in range(round(seconds * fps)):
        yield camera(view, rng)
