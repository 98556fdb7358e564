"""The page as Gradio blocks: a frame, and a panel each for the call, the chat, the memory, the
recordings. What Gradio has no part for is an ES module in static/, mounted into an HTML block."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from page.offer import Offer

STATIC = "/page"
HEAD = f"""\
<link rel="stylesheet" href="{STATIC}/page.css">
<link rel="modulepreload" href="{STATIC}/call_panel.js">
<link rel="icon" href="{STATIC}/icon.svg" type="image/svg+xml">
<meta name="color-scheme" content="light dark">
"""


def blocks(offer: Offer, *panels: Callable[[], None]) -> gr.Blocks:
    """The whole page. Each of `panels` adds its own blocks, inside its own column."""
    with gr.Blocks(title="omni_agent", fill_width=True, analytics_enabled=False) as page:
        module("shell", elem_id="shell")
        with panel("call"):
            module("call_panel", offer=offer.as_props(), functions=[offer.streets, offer.example])
        for build in panels:
            build()
    return page


def panel(name: str) -> gr.Column:
    """A column that the frame shows when its tab is chosen."""
    return gr.Column(elem_id=f"panel-{name}", elem_classes="panel")


def module(
    name: str,
    *,
    elem_id: str | None = None,
    value: str = "",
    functions: Sequence[Callable[..., Any]] = (),
    **props: Any,
) -> gr.HTML:
    """An HTML block that is built by `mount(root, {...props, server, tell})` of static/`name`.js.

    `functions` can be called there: `await server.forget({ids: [...]})`, with arguments by name.
    `tell(value)` changes the block's value, which other blocks may follow.
    """
    return gr.HTML(
        value,
        html_template='<div class="omni"></div>',
        elem_id=elem_id or f"module-{name.replace('_', '-')}",
        apply_default_css=False,
        js_on_load=f"""
            const root = element.querySelector('.omni') ?? element;
            const tell = (value) => {{ props.value = value; }};
            const functions = typeof server === 'undefined' ? {{}} : server;
            import('{STATIC}/{name}.js').then(({{ mount }}) =>
                mount(root, {{ ...props.given, server: functions, tell }}));
        """,
        given=props,
        server_functions=[_for_gradio(function) for function in functions],
    )


def _for_gradio(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gradio hands over one value, and marks the function, which a method does not allow."""

    async def call(arguments: dict[str, Any] | None) -> Any:
        given = arguments or {}
        if inspect.iscoroutinefunction(function):
            return await function(**given)
        return await asyncio.to_thread(function, **given)

    call.__name__ = function.__name__
    return call
