"""Agents behind OpenAI's protocols: `/v1/realtime` and `/v1/chat/completions`."""

from omni_agent.server.app import create_app as create_app
from omni_agent.server.limits import Limits as Limits
from omni_agent.server.limits import ServerSettings as ServerSettings
from omni_agent.server.serving import server_of as server_of
