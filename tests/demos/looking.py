"""What a page has to be for everybody: named, readable, wide enough, in reach of the keyboard."""

from __future__ import annotations

from typing import Any

# Every text that can be seen, with its contrast to what lies behind it (WCAG 2.2, 1.4.3).
_CONTRAST = """
within => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const layer = rgba(getComputedStyle(e).backgroundColor);
      layers.push(layer);
      if (layer[3] >= 0.999) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = rgb => {
    const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map(c => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const texts = document.createTreeWalker(document.querySelector(within), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const words = texts.currentNode.data.trim();
    const element = texts.currentNode.parentElement;
    const box = element.getBoundingClientRect();
    if (!words || box.width < 2 || box.height < 2) continue;
    if (element.closest('svg, option, style, script, .sr-only, :disabled')) continue;
    const style = getComputedStyle(element);
    if (style.visibility === 'hidden') continue;
    const field = behind(element);
    const colour = over(rgba(style.color), field);
    const [light, dark] = [luminance(colour), luminance(field)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (light + 0.05) / (dark + 0.05);
    found.push({ words: words.slice(0, 40), ratio, least: large ? 3 : 4.5 });
  }
  return found;
}
"""

# What can be pressed or filled in, by the name that a screen reader says.
_NAMES = """
within => [...document.querySelectorAll(`${within} :is(button, a[href], input, select, textarea)`)]
  .filter(e => e.checkVisibility({ visibilityProperty: true }) && e.type !== 'file')
  .map(e => {
    const box = (e.closest('label') ?? e).getBoundingClientRect();
    const named = e.getAttribute('aria-label') ?? e.labels?.[0]?.innerText ?? e.innerText ?? '';
    return { tag: e.tagName, name: named.trim(), width: box.width, height: box.height };
  })
"""


def poor_contrasts(page: Any, within: str = "body") -> list[str]:
    """Texts that stand out too little, each with its ratio and what it should be."""
    texts = page.evaluate(_CONTRAST, within)
    assert texts, f"there is no text in {within}"
    return [
        f"{t['words']!r}: {t['ratio']:.2f} < {t['least']}"
        for t in texts
        if t["ratio"] < t["least"] - 0.005
    ]


def controls(page: Any, within: str = "body") -> list[dict[str, Any]]:
    """[{tag, name, width, height}] of everything that can be pressed or filled in."""
    found: list[dict[str, Any]] = page.evaluate(_NAMES, within)
    assert found, f"there is nothing to press in {within}"
    return found


def sticks_out(page: Any) -> list[str]:
    """What reaches beyond the right edge of the window."""
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('.omni *, [id^=panel-] *')]
          .filter(e => e.checkVisibility() && !e.closest('.sr-only, svg'))
          .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
          .map(e => `${e.tagName}.${e.getAttribute('class')}`)"""
    )
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [*beyond, *(["the page scrolls sideways"] if wide else [])]
