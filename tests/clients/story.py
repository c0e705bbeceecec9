"""Plays story.json with a client, and judges what the client saw. The JavaScript twin is story.mjs.

A client has `label`, `speaks` and `should` (protocol versions), and the coroutines `list_tools()`,
`call(name, arguments, progress)`, `read_resource(uri)` and `get_prompt(name, arguments)`, which return plain
dictionaries as they are on the wire. Protocol errors are raised as `ProtocolError`.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

PREFIX = os.environ.get("TOOL_PREFIX", "fixture__")
DIRECT = bool(os.environ.get("DIRECT"))
URL = os.environ.get("GATEWAY_URL") or sys.exit("GATEWAY_URL is not set; see tests/README.md")
KEY = os.environ.get("GATEWAY_KEY", "")
HEADERS = {"authorization": f"Bearer {KEY}"} if KEY else {}
STORY = json.loads((Path(__file__).parent / "story.json").read_text().replace("$P", PREFIX))

# How `remit stdio` is spawned, for a gateway that runs.
PROGRAM = os.environ.get("REMIT") or str(Path(__file__).parents[2] / "target/debug/remit")
SPAWNED = {
    "command": PROGRAM,
    "args": ["stdio", "--gateway", URL],
    "env": {"REMIT_AGENT_KEY": KEY, "REMIT_LOG": "warn"},
}


class ProtocolError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def plain(model):
    """A model of an SDK as the dictionary it was on the wire."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def counts():
    with urllib.request.urlopen(os.environ["FIXTURE_CONTROL"] + "/calls") as answer:
        return json.load(answer)["counts"]


def approve(question):
    if not question:
        raise RuntimeError("no question was seen")
    if command := os.environ.get("APPROVE_CMD"):
        subprocess.run(command.replace("{id}", question), shell=True, check=True, capture_output=True)
        return
    asked = f"{os.environ['GATEWAY_ADMIN']}/admin/v1/questions/{question}"
    headers = {"authorization": f"Bearer {os.environ.get('ADMIN_KEY', '')}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(asked, headers=headers)) as answer:
        shown = json.load(answer)["shown"]
    body = json.dumps({"choice": "approve", "shown": shown}).encode()
    vote = urllib.request.Request(f"{asked}/votes", data=body, headers=headers)
    urllib.request.urlopen(vote).close()


def asked(arguments, state):
    """What a call is made with: with the question that was remembered, where it names one."""
    return json.loads(json.dumps(arguments).replace("$Q", state.get("question") or ""))


async def act(step, client, state):
    seen = {"tools": None, "result": {}, "code": None, "message": None, "progress": []}
    try:
        match step["do"]:
            case "list_tools":
                seen["tools"] = await client.list_tools()
            case "call":
                progress = seen["progress"].append if step.get("progress") else None
                seen["result"] = await client.call(step["tool"], asked(step["arguments"], state), progress)
            case "read_resource":
                seen["result"] = await client.read_resource(step["uri"])
            case "get_prompt":
                seen["result"] = await client.get_prompt(step["prompt"], step["arguments"])
            case "approve":
                approve(state.get("question"))
    except ProtocolError as error:
        seen["code"], seen["message"] = error.code, str(error)
    result = seen["result"]
    seen["decision"] = (result.get("_meta") or {}).get("dev.remit/decision") or {}
    parts = result.get("content") or result.get("contents") or result.get("messages") or ""
    seen["text"] = json.dumps(parts, ensure_ascii=False)
    return seen


def complaints(expect, seen, state, executed):
    found = []

    def check(fine, text):
        if not fine:
            found.append(text)

    result = seen["result"]
    names = {tool["name"] for tool in seen["tools"] or []}
    wanted = expect.get("protocol_error")
    if wanted is None:
        check(seen["code"] is None, f"protocol error {seen['code']}: {seen['message']}")
    else:
        check(seen["code"] == wanted, f"expected protocol error {wanted}, got {seen['code'] or seen['text']}")
    for name in expect.get("has", []):
        check(name in names, f"{name} is not listed")
    for name in expect.get("lacks", []):
        check(name not in names, f"{name} is listed")
    for words in expect.get("descriptions_without", []):
        check(words not in json.dumps(seen["tools"]), f'a description says "{words}"')
    if "error" in expect:
        check(result.get("isError", False) == expect["error"], f"isError is {result.get('isError')}: {seen['text']}")
    if "text" in expect:
        check(expect["text"] in seen["text"], f"the text is {seen['text']}")
    if "structured" in expect:
        check(result.get("structuredContent") == expect["structured"], f"structured content is {result.get('structuredContent')}")
    if "types" in expect:
        check([part["type"] for part in result.get("content", [])] == expect["types"], f"the content is {seen['text']}")
    if "progress" in expect:
        check(seen["progress"] == expect["progress"], f"progress was {seen['progress']}")
    for field, value in expect.get("decision", {}).items():
        check(seen["decision"].get(field) == value, f"decision.{field} is {seen['decision'].get(field)}")
    if expect.get("same_question"):
        question = seen["decision"].get("question")
        check(question == state.get("question"), f"the question is {question}, not {state.get('question')}")
    for tool, times in expect.get("executed", {}).items():
        check(executed.get(tool) == times, f"{tool} was executed {executed.get(tool)} times, not {times}")
    return found


async def play(client):
    """Returns the exit code."""
    env = os.environ
    if not DIRECT and not (env.get("FIXTURE_CONTROL") and (env.get("APPROVE_CMD") or env.get("GATEWAY_ADMIN"))):
        sys.exit("FIXTURE_CONTROL and one of APPROVE_CMD and GATEWAY_ADMIN must be set; see tests/README.md")
    print(f"# {client.label}")
    before = {} if DIRECT else counts()
    state = {}
    spoken = client.speaks == client.should
    print(f"{'ok' if spoken else 'not ok'} 1 - speaks {client.should}" + ("" if spoken else f"\n  # it speaks {client.speaks}"))
    done, failed, skipped = 1, 0 if spoken else 1, 0
    for step in STORY["steps"]:
        done += 1
        if step.get("governed") and DIRECT:
            print(f"ok {done} - {step['name']} # SKIP there is no gate")
            skipped += 1
            continue
        try:
            seen = await act(step, client, state)
            if step.get("remember_question"):
                told = seen["result"].get("structuredContent") or {}
                state["question"] = seen["decision"].get("question") or told.get("question")
            after = counts() if "executed" in step["expect"] else {}
            executed = {tool: after.get(tool, 0) - before.get(tool, 0) for tool in step["expect"].get("executed", {})}
            found = complaints(step["expect"], seen, state, executed)
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a finding, not a crash
            found = [f"{type(error).__name__}: {error}"]
        print(f"{'not ok' if found else 'ok'} {done} - {step['name']}")
        for text in found:
            print(f"  # {text}")
        failed += bool(found)
    print(f"{done - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 else 1
