"""Numbers, units, times, money and markup are read as a person would read them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.model.compact.spoken import spoken


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Heat to 180°C for 20–25 min.", "Heat to 180 degrees Celsius for 20 to 25 minutes."),
        ("It is 2.5 km away", "It is 2 point 5 kilometers away"),
        ("1 km, 1 cup", "1 kilometer, 1 cup"),
        ("½ cup, 1½ cups, 1/2 tsp", "a half cup, 1 and a half cups, a half teaspoon"),
        ("3/4 cup", "3 quarters cup"),
        ("open until 18:30", "open until 18 30"),
        ("at 9:05 a.m. and 12:00", "at 9 oh 5 AM and 12 o'clock"),
        ("€12.50 or $1 or 5 €", "12 euros 50 or 1 dollar or 5 euros"),
        ("50% of 1,200 people", "50 percent of 1200 people"),
        ("-5 °C", "minus 5 degrees Celsius"),
        ("oil, e.g. olive oil", "oil, for example olive oil"),
        ("Dr. Smith & No. 5", "Doctor Smith and number 5"),
        ("in 2026, since 1905, the 1990s", "in 20 26, since 19 oh 5, the 19 nineties"),
        ("**Bold** and [link](https://x.y/z) 😀", "Bold and link"),
        ("see https://www.example.com/a?b=1.", "see example dot com."),
        ("- one\n- two\n1. three", "one. two. 1, three"),
        ("```py\nx=1\n``` done", "done"),
        ("half-and-half, well-known", "half-and-half, well-known"),
    ],
)
def test_english_is_read_aloud(written, said):
    assert spoken(written, "en") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("烤箱预热到180°C，烤20-25分钟。", "烤箱预热到一百八十摄氏度，烤二十到二十五分钟。"),
        ("2.5公里，18:30关门，€12", "二点五公里，十八点半关门，十二欧元"),
        ("加1/2茶匙盐，250ml牛奶，2个鸡蛋", "加半茶匙盐，二百五十毫升牛奶，两个鸡蛋"),
        ("2026年11月，50%", "二零二六年十一月，百分之五十"),
        ("电话0401234567", "电话零四零一二三四五六七"),
        ("第2步，12个，2小时", "第二步，十二个，两小时"),
        ("去 Ravintola Savoy，B12", "去 Ravintola Savoy，B12"),
        ("-5℃，9:05", "负五摄氏度，九点零五分"),
    ],
)
def test_chinese_is_read_aloud(written, said):
    assert spoken(written, "zh") == said


@settings(deadline=None)  # other work on the machine is no failure
@given(st.text(max_size=200), st.sampled_from(["en", "zh"]))
def test_any_text_can_be_read(text, language):
    assert isinstance(spoken(text, language), str)
