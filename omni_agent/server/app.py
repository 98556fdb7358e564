"""The server: agents behind OpenAI's protocols, for anybody's client.

app = create_app({"kitchen": kitchen()}, ServerSettings())
serve(app)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from omni_agent.errors import OmniAgentError, SettingsError
from omni_agent.server.calls import Calls
from omni_agent.server.chat import Chat
from omni_agent.server.connection import Connection
from omni_agent.server.gate import Gate, refused
from omni_agent.server.limits import Bucket, ServerSettings
from omni_agent.server.line import Terms
from omni_agent.server.metrics import CONTENT_TYPE, Metrics
from omni_agent.tools.base import Position

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.model.base import ModelProfile

logger = logging.getLogger("omni_agent.server")

STAND_INS = ("gpt-", "omni", "default")
"""A client that asks for a model of these names gets the first agent, whatever it is."""


def create_app(
    agents: Mapping[str, Agent],
    settings: ServerSettings | None = None,
    *,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """A Starlette app that serves `agents` by their names; the first is had by clients that ask for
    none. `routes` are pages beside it, which the gate lets through without a token.

    The agents stay their owner's, who closes them when the app has ended. `app.state.calls` are the
    calls, `app.state.metrics` what is counted.
    """
    if not agents:
        raise SettingsError("a server needs an agent to serve")
    settings = settings or ServerSettings()
    server = _Server(agents, settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await server.stop()

    middleware = [Middleware(Gate, settings=settings)]
    if settings.origins:
        cors = Middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["*"],
            allow_headers=["*"],
        )
        middleware.insert(0, cors)
    app = Starlette(
        routes=[
            WebSocketRoute("/v1/realtime", server.realtime),
            Route("/v1/realtime", server.why_no_call),
            Route("/v1/chat/completions", server.chat.complete, methods=["POST"]),
            Route("/v1/models", server.models),
            Route("/v1/models/{name}", server.model),
            Route("/healthz", server.health),
            Route("/metrics", server.metrics_text),
            *routes,
        ],
        middleware=middleware,
        lifespan=lifespan,
    )
    app.state.calls = server.calls
    app.state.metrics = server.metrics
    app.state.settings = settings
    app.state.stop = server.stop
    return app


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A call that can be had."""

    name: str
    agent: Agent
    profile: ModelProfile
    place: Position | None


class _Server:
    """What the routes have in common."""

    def __init__(self, agents: Mapping[str, Agent], settings: ServerSettings) -> None:
        self._agents = dict(agents)
        self._settings = settings
        self._began = time.time()
        self.calls = Calls(settings.limits.calls)
        self.metrics = Metrics()
        self.chat = Chat(self.agent, settings.limits, self.metrics)

    def agent(self, model: str | None, agent: str | None = None) -> tuple[str, Agent] | None:
        """The agent that a client wants, with its name; None where there is none of this name."""
        wanted = agent or model
        if wanted in self._agents:
            return wanted, self._agents[wanted]
        if wanted is None or (agent is None and wanted.startswith(STAND_INS)):
            return next(iter(self._agents.items()))
        return None

    async def realtime(self, socket: WebSocket) -> None:
        call = await self._call_for(socket.query_params)
        if isinstance(call, JSONResponse):
            self.metrics.refused(str(call.status_code))
            await socket.send_denial_response(call)
            return
        limits = self._settings.limits
        terms = Terms(
            limits=limits,
            omni=socket.query_params.get("omni") == "1",
            place=call.place,
            sound=Bucket.full(rate=1.5, size=limits.audio_ahead, at=time.monotonic()),
            record=self._settings.record,
        )
        connection = Connection(socket, call.name, call.agent, call.profile, self.metrics, terms)
        self.calls.add(connection)
        try:
            await connection.serve()
        finally:
            self.calls.remove(connection)

    async def why_no_call(self, request: Request) -> Response:
        """A browser does not tell a page why its WebSocket was refused; here it can ask."""
        call = await self._call_for(request.query_params)
        if isinstance(call, JSONResponse):
            return call
        response = refused(426, "a call is a WebSocket; connect with one", "upgrade_required")
        response.headers["upgrade"] = "websocket"
        return response

    async def _call_for(self, query: QueryParams) -> _Wanted | JSONResponse:
        """What kind of call is wanted, or why there can be none."""
        found = self.agent(query.get("model"), query.get("agent"))
        if found is None:
            message = f"there is no such agent here; there is: {', '.join(self._agents)}"
            return refused(404, message, "model_not_found")
        try:
            place = position(query["at"]) if query.get("at") else None
        except SettingsError as error:
            return refused(400, str(error), "invalid_value")
        name, agent = found
        try:
            profile = (await agent.open_model()).profile
        except OmniAgentError as error:
            logger.exception("the model of %s cannot be opened", name)
            return refused(500, str(error), type(error).__name__)
        if self.calls.stopping:
            return refused(503, "the server is being stopped; call again later", "going_away")
        if self.calls.full:
            message = f"{len(self.calls)} calls are open; more are not taken. Try again later"
            return refused(503, message, "too_many_calls")
        return _Wanted(name, agent, profile, place)

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._card(n) for n in self._agents]})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._agents:
            return refused(404, f"there is no agent {name!r} here", "model_not_found")
        return JSONResponse(self._card(name))

    def _card(self, name: str) -> dict[str, object]:
        created = int(self._began)
        return {"id": name, "object": "model", "created": created, "owned_by": "omni-agent"}

    async def health(self, request: Request) -> Response:
        if self.calls.stopping:
            return JSONResponse({"status": "stopping"}, 503)
        return JSONResponse({"status": "ok"})

    async def metrics_text(self, request: Request) -> Response:
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def stop(self) -> None:
        """End all calls, telling their clients; what they said is kept. May be called twice."""
        try:
            await asyncio.gather(self.calls.stop(), self.chat.stop())
        except TimeoutError:
            logger.error("%d calls did not end in time", len(self.calls))


def position(text: str) -> Position:
    """ "60.17,24.94" or "60.17,24.94,90": degrees, and where one faces. Raises SettingsError."""
    try:
        lat, lon, *heading = [float(part) for part in text.split(",")]
    except ValueError:
        lat = lon = float("nan")
        heading = []
    if not (abs(lat) <= 90 and abs(lon) <= 180 and len(heading) <= 1):
        raise SettingsError(f"at={text!r} is no position; give latitude,longitude in degrees")
    return Position(lat, lon, heading[0] if heading else None)
