"""What the demo serves and what it keeps to itself; and that its files are as they should be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "demos" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
TABLES = {path.stem: json.loads(path.read_text("utf-8")) for path in STATIC.glob("words/*.json")}

pytest.importorskip("gradio", reason='Gradio is not installed: pip install "omni-agent[demo]"')


@pytest.fixture(scope="module")
def client() -> Any:
    from page.blocks import blocks
    from page.memory import MemoryPanel
    from page.offer import Offer
    from page.serving import mount_page
    from starlette.testclient import TestClient

    from omni_agent import Agent
    from omni_agent.model.scripted import ScriptedModel
    from omni_agent.server import create_app

    agent = Agent("Be brief.", model=ScriptedModel())
    app = create_app({"companion": agent})
    page = blocks(Offer(agents={"companion": None}), MemoryPanel(None).build)
    with TestClient(mount_page(app, page), base_url="http://127.0.0.1:7860") as client:
        yield client


def test_the_page_lies_beside_the_server(client: Any) -> None:
    assert "gradio" in client.get("/").text
    assert client.get("/healthz").json() == {"status": "ok"}
    assert [m["id"] for m in client.get("/v1/models").json()["data"]] == ["companion"]
    assert "javascript" in client.get("/page/call_panel.js").headers["content-type"]


def test_everything_comes_from_here_and_goes_here(client: Any) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "camera=(self)" in page.headers["permissions-policy"]
    loaded = re.findall(r"""(?:src|href)=["'](https?:)?//[^"']+""", page.text)
    assert loaded == []


def test_a_page_of_another_name_or_place_is_refused(client: Any) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403
    call = "/gradio_api/component_server"
    answer = client.post(call, json={}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_no_file_but_the_pages_own_is_served(client: Any) -> None:
    for path in ("/page/../app.py", "/page/..%2Fapp.py", "/page/%2e%2e/app.py", "/page/words"):
        assert client.get(path).status_code == 404
    for path in ("/gradio_api/file=/etc/passwd", f"/gradio_api/file={ROOT}/pyproject.toml"):
        assert client.get(path).status_code in (403, 404)


def test_the_demo_tells_how_it_is_used() -> None:
    told = subprocess.run(
        [sys.executable, ROOT / "demos" / "app.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--record" in told.stdout


# --- the files ---------------------------------------------------------------------------------


def test_both_languages_say_the_same_things() -> None:
    en, zh = TABLES["en"], TABLES["zh"]
    assert set(en) == set(zh)
    for key in en:
        names = [set(re.findall(r"\{(\w+)\}", json.dumps(t[key]))) for t in (en, zh)]
        # A language without singular and plural may leave the number out where it means one.
        assert names[0] - {"n"} == names[1] - {"n"}, key


def test_every_word_of_the_tables_is_used_and_every_used_one_is_there() -> None:
    code = "\n".join(
        path.read_text("utf-8") for path in [*SCRIPTS, *(ROOT / "demos/page").glob("*.py")]
    )
    families = re.findall(r"[`\"']([a-z]+(?:\.[a-z]+)*)\.(?:\$?\{)", code)  # `state.${shown}`
    unused = [
        key
        for key in TABLES["en"]
        if f"'{key}'" not in code
        and f'"{key}"' not in code
        and not any(key.startswith(f"{family}.") for family in families)
        and not key.startswith("agent.")
    ]
    assert unused == []
    quoted = re.findall(r"""(?:says|label|hint|asks): \[?'([a-z]\w*\.[\w.]+)'""", code)
    quoted += re.findall(r"""words\(\w+, "([a-z][\w.]+)\"""", code)
    assert [key for key in quoted if key not in TABLES["en"]] == []


def test_no_script_makes_markup_out_of_text() -> None:
    makes = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(")
    assert [path.name for path in SCRIPTS if makes.search(path.read_text("utf-8"))] == []


def test_no_script_or_sheet_loads_anything_from_elsewhere() -> None:
    files = [*SCRIPTS, *STATIC.glob("*.css"), *STATIC.glob("*.svg")]
    elsewhere = re.compile(r"""(?:https?:)?//(?!www\.w3\.org/)[a-z0-9-]+\.[a-z]{2,}""")
    assert [path.name for path in files if elsewhere.search(path.read_text("utf-8"))] == []


def test_files_are_short_enough_to_be_read() -> None:
    files = [*SCRIPTS, *STATIC.glob("*.css"), *(ROOT / "demos").rglob("*.py")]
    assert [p.name for p in files if len(p.read_text("utf-8").splitlines()) >= 400] == []
