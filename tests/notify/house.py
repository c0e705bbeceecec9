"""A gateway with an upstream of the fixture, and channels that lead to the sinks."""

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from sinks import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
NODE = ROOT / ".cache/bin/node"

AGENT = "GATEWAY_KEY_TS_V1"

# Rules that demand more than a click, by what is paid.
# And one that lapses soon.
DEMANDS = [
    (1000, "finance-reasons", "reason: required"),
    (2000, "finance-password", "factor: password+totp"),
    (3000, "finance-oidc", "factor: oidc"),
    (4000, "finance-passkey", "factor: passkey"),
    (5000, "finance-later", 'escalate: [{ after: 1s, to: ["user:carol@acme.example"] }]'),
    (6000, "finance-soon", ""),
]


def wait(condition, seconds=20):
    """Waits for something to be true; what it was, or None."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    return None


def request(method, url, key=None, body=None, headers=None, raw=None):
    """Status and JSON (or text) of an answer, whatever the status."""
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    sent = urllib.request.Request(url, data=data, method=method)
    if key:
        sent.add_header("authorization", f"Bearer {key}")
    if body is not None:
        sent.add_header("content-type", "application/json")
    for name, value in (headers or {}).items():
        sent.add_header(name, value)
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


class House:
    def __init__(self, remit, work, notify, environment):
        self.remit, self.work = str(Path(remit).resolve()), work
        self.processes = []
        self.gateway = None
        self.log = work / "gateway.log"
        fixture = free_port()
        self.start([NODE, ROOT / "tests/fixture/upstream.mjs", "--port", str(fixture)], work / "fixture.log")
        assert wait(lambda: listening(fixture)), "the fixture starts"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        out = work / "out"
        upstream = f"http://127.0.0.1:{fixture}/mcp"
        configure = [NODE, ROOT / "tests/configure.mjs", "clients", out, "--listen", f"127.0.0.1:{self.port}", "--fixture", upstream]
        subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
        self.folder = out / "config"
        pairs = (line.removeprefix("export ").split("=", 1) for line in (out / "env").read_text().splitlines())
        keys = {name: value.strip("'") for name, value in pairs}
        self.agent_key, self.bob_key = keys[AGENT], keys["ADMIN_KEY"]
        self.environment = {**os.environ, **environment}
        # What is paid to whom is free text here, so that an agent can write what it likes.
        tools = self.folder / "upstreams/fixture.yaml"
        tools.write_text(tools.read_text().replace("    resource: { kind: account, id: args.to }\n", ""))
        self.rules()
        self.people()
        self.remit_yaml = (self.folder / "remit.yaml").read_text()
        (self.folder / "remit.yaml").write_text(self.remit_yaml + notify)

    def rules(self):
        """Payments over 1000 wait under rules that demand more than a click."""
        settings, remit = self.folder / "remit.yaml", self.folder / "remits/ts-v1.yaml"
        within = lambda name: "3s" if name == "finance-soon" else "30m"
        rules = [f"  {name}: {{ quorum: 1, from: [team:finance], within: {within(name)}, {more} }}\n" for _, name, more in DEMANDS]
        calls = [
            f"  - {{ tools: [fixture/pay], when: args.amount > {over} and args.amount <= {over + 1000}, approval: {name} }}\n"
            for over, name, _ in DEMANDS
        ]
        settings.write_text(settings.read_text().replace("people:\n", "".join(rules) + "people:\n", 1))
        remit.write_text(remit.read_text().replace("approve: none\n", "".join(calls) + "approve: none\n", 1))

    def people(self):
        """bob may vote and is written to; carol is in no team of the rule; dora may only look; fred has left; sina may
        change what protects; gil has no key and is not written to."""
        file = self.folder / "keys.yaml"
        text = file.read_text().replace("{ id: bob,", "{ id: bob, email: bob@acme.example,")
        for name, teams, roles, more in [
            ("carol", "support", "approver", ""),
            ("dora", "finance", "viewer", ""),
            ("fred", "finance", "approver", ", revoked: true"),
            ("sina", "security", "security", ""),
        ]:
            digest = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
            text += (
                f"  - {{ id: {name}, user: {name}@acme.example, teams: [{teams}], roles: [{roles}],"
                f' email: {name}@acme.example, sha256: "{digest}", expires: 2030-01-01{more} }}\n'
            )
        text += "  - { id: gil, user: gil@acme.example, teams: [finance], roles: [approver] }\n"
        file.write_text(text)

    def start(self, command, log):
        with open(log, "ab") as out:
            process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=out, env=getattr(self, "environment", None))
        self.processes.append(process)
        return process

    def serve(self):
        self.gateway = self.start([self.remit, "-C", self.folder, "serve"], self.log)
        answers = lambda: self.gateway.poll() is not None or listening(self.port)
        assert wait(answers) and self.gateway.poll() is None, self.log.read_text()

    def approve_tools(self):
        done = self.cli("tools", "approve", "fixture/*", "--by", "test")
        assert done.returncode == 0, done.stderr
        status, said = request("POST", f"{self.url}/admin/v1/reload", self.bob_key, {})
        assert status == 200, said

    def cli(self, *words):
        environment = {**self.environment, "REMIT_URL": self.url, "REMIT_OPERATOR_KEY": self.bob_key}
        command = [self.remit, "-C", str(self.folder), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)

    def kill(self):
        """As if the machine had lost the process."""
        self.gateway.send_signal(signal.SIGKILL)
        self.gateway.wait(10)

    def ask(self, **arguments):
        """A call that is held; its question."""
        body = {"tool": "fixture/pay", "arguments": arguments}
        status, said = request("POST", f"{self.url}/v1/calls", self.agent_key, body)
        assert status == 202 and said.get("question"), (status, said)
        return said["question"]

    def deliveries(self, **filters):
        query = urllib.parse.urlencode(filters)
        status, said = request("GET", f"{self.url}/admin/v1/deliveries?{query}", self.bob_key)
        assert status == 200, said
        return said["deliveries"]

    def question(self, question):
        status, said = request("GET", f"{self.url}/admin/v1/questions/{question}", self.bob_key)
        assert status == 200, said
        return said

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def listening(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
