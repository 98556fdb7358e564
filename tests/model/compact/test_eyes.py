"""Eyes read what stands in a picture, whatever its size, and say nothing where nothing stands."""

import logging

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from omni_agent.errors import MediaError
from omni_agent.media import Image
from omni_agent.model.compact.eyes import Eyes
from omni_agent.model.compact.sight import Sight

pytest.importorskip("rapidocr")  # its wheel brings the weights


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes()


def drawn(size: tuple[int, int], words: dict[tuple[int, int], str], height: int = 28) -> Image:
    canvas = Pillow.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for place, text in words.items():
        draw.text(place, text, fill="black", font=ImageFont.load_default(height))
    return Image(np.asarray(canvas))


MENU = {
    (30, 30): "Lunch menu",
    (30, 120): "Mapo tofu",
    (420, 122): "12.50",
    (30, 210): "Open 11-22",
}


def test_a_menu_is_read_row_by_row_and_left_to_right(eyes):
    lines = eyes.read(drawn((640, 480), MENU))
    assert [line.text for line in lines] == ["Lunch menu", "Mapo tofu", "12.50", "Open 11-22"]


def test_a_box_tells_where_the_line_stands(eyes):
    price = next(line for line in eyes.read(drawn((640, 480), MENU)) if line.text == "12.50")
    left, top, right, bottom = price.box
    assert 400 < left < 440 < right < 540
    assert 105 < top < 140 < bottom < 165


def test_boxes_of_a_large_picture_are_in_its_own_pixels(eyes):
    [line] = eyes.read(drawn((3200, 1800), {(2000, 900): "Exit left"}, height=90))
    assert line.text == "Exit left"
    assert 1950 < line.box[0] < 2050


def test_a_tiny_picture_is_read(eyes):
    assert "Tea 4.50" in [
        line.text for line in eyes.read(drawn((100, 40), {(12, 8): "Tea 4.50"}, 10))
    ]


def test_a_picture_without_text_has_no_lines(eyes):
    assert eyes.read(Image(np.full((480, 640, 3), 200, np.uint8))) == ()
    assert eyes.read(Image(np.zeros((1, 1, 3), np.uint8))) == ()
    assert eyes.read(Image(np.zeros((2, 3000, 3), np.uint8))) == ()


def test_reading_is_quiet(eyes, capfd, caplog):
    with caplog.at_level(logging.INFO):
        Eyes().read(Image(np.full((64, 64, 3), 255, np.uint8)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(pixels):
    with pytest.raises(MediaError, match=r"uint8 \[height, width, 3\]"):
        Eyes().read(Image(pixels))


async def test_a_camera_is_worth_a_word_only_where_it_shows_new_text(eyes):
    sight = Sight(eyes)
    blank = Image(np.full((480, 640, 3), 200, np.uint8))
    menu, sign = drawn((640, 480), MENU), drawn((640, 480), {(30, 30): "Closed"})
    told = [await sight.glance(frame) for frame in (blank, menu, menu, blank, blank, sign)]
    assert [text is None for text in told] == [True, False, True, True, True, False]
    assert "Mapo tofu" in told[1]
    assert "Closed" in told[5]
