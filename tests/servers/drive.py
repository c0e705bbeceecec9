"""Uses servers that nobody here wrote, through the gateway: what servers.json says, with the Python SDK.

    drive.py [legacy]     GATEWAY_URL, GATEWAY_KEY and WORK in the environment; `legacy`: the handshake of 2025
    drive.py --direct     each server by itself over stdio, without a gate; what only a gate does is skipped

Prints TAP-like lines and ends with "N passed, N failed".
"""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache"
WORK = os.environ.get("WORK") or sys.exit("WORK is not set; see tests/README.md")
DIRECT = "--direct" in sys.argv
MODE = "legacy" if "legacy" in sys.argv else "auto"
SERVERS = json.loads((HERE / "servers.json").read_text().replace("$WORK", WORK))["servers"]


@asynccontextmanager
async def connected(how):
    if DIRECT:
        if "node" in how:
            command, args = CACHE / "bin/node", [str(CACHE / "node/node_modules" / how["node"]), *how["args"]]
        else:
            command, args = CACHE / "venv/bin" / how["bin"], how["args"]
        async with Client(StdioServerParameters(command=str(command), args=args, env=dict(os.environ)), mode=MODE) as client:
            yield client
        return
    headers = {"authorization": f"Bearer {os.environ['GATEWAY_KEY']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
        async with Client(streamable_http_client(os.environ["GATEWAY_URL"], http_client=http), mode=MODE) as client:
            yield client


async def play(step, client, prefix):
    """Returns what is wrong."""
    found = []
    if "has" in step:
        names, cursor = set(), None
        while True:
            page = await client.list_tools(cursor=cursor)
            names |= {tool.name for tool in page.tools}
            if not (cursor := page.next_cursor):
                break
        found += [f"{name} is not listed" for name in step["has"] if prefix + name not in names]
        found += [f"{name} is listed" for name in step["lacks"] if not DIRECT and prefix + name in names]
        return found
    try:
        result = await client.call_tool(prefix + step["tool"], step["arguments"])
    except MCPError as error:
        if not step.get("unknown") or error.error.code != -32602:
            found.append(f"protocol error {error.error.code}: {error.error.message}")
    else:
        text = " ".join(getattr(part, "text", "") for part in result.content)
        decision = (result.meta or {}).get("dev.remit/decision") or {}
        if step.get("unknown"):
            found.append(f"it was answered: {text}")
        elif step.get("denied"):
            if not result.is_error or "DENIED" not in text or decision.get("code") != "policy.no_permit":
                found.append(f"it was not denied: {text}")
        elif result.is_error or step["text"] not in text:
            found.append(f"the answer is: {text}")
    for path, content in step.get("on_disk", {}).items():
        file = Path(path)
        there = file.read_text() if file.exists() else None
        if there != content:
            found.append(f"{path} holds {there!r}")
    if "head" in step:
        head = subprocess.check_output(["git", "-C", f"{WORK}/repo", "log", "-1", "--format=%s"], text=True).strip()
        if head != step["head"]:
            found.append(f"the last commit is {head!r}")
    return found


async def main():
    done = failed = skipped = 0
    for server in SERVERS:
        print(f"# {server['name']}")
        async with connected(server["direct"]) as client:
            for step in server["steps"]:
                done += 1
                if DIRECT and (step.get("denied") or step.get("unknown")):
                    print(f"ok {done} - {step['name']} # SKIP there is no gate")
                    skipped += 1
                    continue
                try:
                    found = await play(step, client, "" if DIRECT else f"{server['name']}__")
                except Exception as error:  # noqa: BLE001 - whatever a client raises is a finding, not a crash
                    found = [f"{type(error).__name__}: {error}"]
                print(f"{'not ok' if found else 'ok'} {done} - {step['name']}")
                for text in found:
                    print(f"  # {text}")
                failed += bool(found)
    print(f"{done - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 else 1


sys.exit(asyncio.run(main()))
