"""Who is let in: a token where others can reach the server, and no page of another site."""

import json
from typing import Any

import httpx
import pytest
import websockets
from clients import Running, agent_of, running, serving
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from omni_agent.errors import SettingsError
from omni_agent.server import ServerSettings, create_app

TOKEN = "a-long-secret"


async def refused(server: Running, query: str = "", **options: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as error:
        async with server.client(query, **options):
            pass
    response = error.value.response
    return response.status_code, json.loads(response.body)["error"]


def test_a_server_that_others_can_reach_needs_a_token() -> None:
    with pytest.raises(SettingsError, match=r"can be reached from other machines.*--token \S{20}"):
        ServerSettings(host="0.0.0.0")
    with pytest.raises(SettingsError, match="token='short'"):
        ServerSettings(host="0.0.0.0", token="short")
    assert ServerSettings(host="::", token=TOKEN).token == TOKEN
    assert ServerSettings(host="::1").token is None


async def test_without_the_token_nobody_comes_in() -> None:
    settings = ServerSettings(port=0, token=TOKEN)
    async with serving(settings=settings) as server, server.http as http:
        assert (await refused(server))[0] == 401
        wrong = {"Authorization": "Bearer a-wrong-secret"}
        status, error = await refused(server, additional_headers=wrong)
        assert (status, error["code"]) == (401, "invalid_api_key")
        for path in ("/v1/models", "/metrics"):
            assert (await http.get(path)).status_code == 401
        assert (await http.post("/v1/chat/completions", json={})).status_code == 401
        assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_the_token_comes_in_a_header_or_as_a_subprotocol() -> None:
    settings = ServerSettings(port=0, token=TOKEN)
    async with serving(settings=settings) as server, server.http as http:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert (await http.get("/v1/models", headers=headers)).status_code == 200
        async with server.client(additional_headers=headers):
            pass
        offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{TOKEN}")]
        async with server.client(subprotocols=offered) as client:
            assert client.socket.subprotocol == "realtime"


async def test_a_token_nobody_asked_for_is_overlooked() -> None:
    async with serving() as server:
        async with server.client(additional_headers={"Authorization": "Bearer x"}):
            pass


async def test_a_page_of_another_site_may_not_connect() -> None:
    async with serving() as server, server.http as http:
        status, error = await refused(server, origin="https://evil.example")
        assert (status, error["code"]) == (403, "bad_origin")
        headers = {"Origin": "null"}
        assert (await http.post("/v1/chat/completions", headers=headers)).status_code == 403
        async with server.client(origin=server.url):
            pass


async def test_a_page_that_was_named_may_connect() -> None:
    settings = ServerSettings(port=0, token=TOKEN, origins=("https://friend.example",))
    async with serving(settings=settings) as server, server.http as http:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with server.client(origin="https://friend.example:443", additional_headers=headers):
            pass
        asked = {
            "Origin": "https://friend.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        preflight = await http.options("/v1/chat/completions", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://friend.example"


async def test_a_name_that_was_made_to_point_here_is_not_answered() -> None:
    async with serving() as server, server.http as http:
        answer = await http.get("/v1/models", headers={"Host": "rebound.example:8765"})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "bad_host"
        port = httpx.URL(server.url).port
        assert (await http.get("/healthz", headers={"Host": f"localhost:{port}"})).is_success


async def test_agents_are_chosen_by_name() -> None:
    async with serving() as server, server.http as http:
        cards = (await http.get("/v1/models")).json()["data"]
        assert [card["id"] for card in cards] == ["kitchen"]
        assert (await http.get("/v1/models/kitchen")).json()["object"] == "model"
        assert (await http.get("/v1/models/garage")).status_code == 404
        for query in ("?model=kitchen", "?agent=kitchen", "?model=gpt-realtime", "?model=omni"):
            async with server.client(query) as client:
                assert client.seen[0]["session"]["model"] == "kitchen"
        for query in ("?model=garage", "?agent=gpt-realtime"):
            assert (await refused(server, query))[0] == 404
        assert (await refused(server, "?at=nowhere"))[0] == 400


async def test_what_is_no_websocket_is_told_so() -> None:
    async with serving() as server, server.http as http:
        assert (await http.get("/v1/realtime")).status_code == 426
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(server.url.replace("http", "ws") + "/v1/nothing")


async def test_a_page_may_stand_beside_and_needs_no_token() -> None:
    page = Route("/", lambda request: PlainTextResponse("a page"))
    settings = ServerSettings(port=0, token=TOKEN)
    agent = agent_of()
    app = create_app({"kitchen": agent}, settings, routes=[page])
    async with running(app, settings, agent) as server, server.http as http:
        assert (await http.get("/")).text == "a page"
        assert (await http.get("/", headers={"Origin": "https://evil.example"})).status_code == 403
        assert (await http.get("/v1/models")).status_code == 401
    await agent.close()


def test_a_server_needs_somebody_to_serve() -> None:
    with pytest.raises(SettingsError, match="needs an agent"):
        create_app({})
