"""The Python SDK of the first generation: the handshake of 2025."""

import asyncio
import sys
from datetime import timedelta

import story
from mcp import ClientSession, McpError
from mcp.client.streamable_http import streamablehttp_client


class Adapter:
    label = "mcp 1.x (Python)"
    should = "2025-11-25"

    def __init__(self, session, speaks):
        self.session = session
        self.speaks = speaks

    async def ask(self, waiting):
        try:
            return story.plain(await waiting)
        except McpError as error:
            raise story.ProtocolError(error.error.code, error.error.message) from error

    async def list_tools(self):
        return (await self.ask(self.session.list_tools()))["tools"]

    async def call(self, name, arguments, progress):
        async def told(amount, _total, _message):
            progress(amount)

        return await self.ask(self.session.call_tool(name, arguments, progress_callback=told if progress else None))

    async def read_resource(self, uri):
        return await self.ask(self.session.read_resource(uri))

    async def get_prompt(self, name, arguments):
        return await self.ask(self.session.get_prompt(name, arguments))


async def main():
    async with streamablehttp_client(story.URL, headers=story.HEADERS) as (read, write, _):
        async with ClientSession(read, write, read_timeout_seconds=timedelta(seconds=120)) as session:
            hello = await session.initialize()
            return await story.play(Adapter(session, hello.protocolVersion))


sys.exit(asyncio.run(main()))
