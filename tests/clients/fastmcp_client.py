"""fastmcp's client, as it comes: 2026-07-28 where the server has it."""

import asyncio
import sys

import story
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp import MCPError


class Adapter:
    label = "fastmcp"
    should = "2026-07-28"

    def __init__(self, client):
        self.client = client
        self.speaks = client.session.protocol_version

    async def ask(self, waiting):
        try:
            return await waiting
        except MCPError as error:
            raise story.ProtocolError(error.error.code, error.error.message) from error

    async def list_tools(self):
        return [story.plain(tool) for tool in await self.ask(self.client.list_tools())]

    async def call(self, name, arguments, progress):
        async def told(amount, _total, _message):
            progress(amount)

        handler = told if progress else None
        return story.plain(await self.ask(self.client.call_tool_mcp(name, arguments, progress_handler=handler)))

    async def read_resource(self, uri):
        return {"contents": [story.plain(part) for part in await self.ask(self.client.read_resource(uri))]}

    async def get_prompt(self, name, arguments):
        return story.plain(await self.ask(self.client.get_prompt(name, arguments)))


async def main():
    async with Client(StreamableHttpTransport(story.URL, headers=story.HEADERS)) as client:
        return await story.play(Adapter(client))


sys.exit(asyncio.run(main()))
