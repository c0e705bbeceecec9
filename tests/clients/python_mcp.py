"""The Python SDK of the second generation. `python_mcp.py auto` (its default: 2026-07-28 where the server has
it), or `legacy`: the handshake of 2025. A second word `stdio` spawns `remit stdio`."""

import asyncio
import sys

import httpx2
import story
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


class Adapter:
    def __init__(self, client, mode):
        self.client = client
        self.label = f"mcp 2.x (Python), {mode}"
        self.speaks = client.protocol_version
        self.should = "2026-07-28" if mode.startswith("auto") else "2025-11-25"

    async def ask(self, waiting):
        try:
            return story.plain(await waiting)
        except MCPError as error:
            raise story.ProtocolError(error.error.code, error.error.message) from error

    async def list_tools(self):
        return (await self.ask(self.client.list_tools()))["tools"]

    async def call(self, name, arguments, progress):
        async def told(amount, _total, _message):
            progress(amount)

        return await self.ask(self.client.call_tool(name, arguments, progress_callback=told if progress else None))

    async def read_resource(self, uri):
        return await self.ask(self.client.read_resource(uri))

    async def get_prompt(self, name, arguments):
        return await self.ask(self.client.get_prompt(name, arguments))


async def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else "auto"
    if sys.argv[2:] == ["stdio"]:
        async with Client(stdio_client(StdioServerParameters(**story.SPAWNED)), mode=mode) as client:
            return await story.play(Adapter(client, f"{mode}, stdio"))
    async with httpx2.AsyncClient(headers=story.HEADERS, timeout=120) as http:
        transport = streamable_http_client(story.URL, http_client=http)
        async with Client(transport, mode=mode) as client:
            return await story.play(Adapter(client, mode))


sys.exit(asyncio.run(main()))
