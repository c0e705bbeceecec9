#!/usr/bin/env python3
"""Lets a gateway tell people through receivers that nobody here wrote, and takes answers from a chat.

    tests/setup.sh                                             installs them, once
    .cache/venv-notify/bin/python tests/notify/run.py REMIT    the program; ends with "N passed, N failed"
"""

import base64
import hmac
import json
import logging
import secrets
import sqlite3
import ssl
import sys
import tempfile
import time
import traceback
import urllib.parse
import warnings
from pathlib import Path

import trustme
from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks import Webhook, WebhookVerificationError

from house import House, request, wait
from sinks import Web, free_port, mail_server, strict_mail_server, wrapped_mail_server

HOOK = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
SIGNING = secrets.token_hex(16)
PUSH = "tk_" + secrets.token_hex(8)
SECRETS = {"HOOK_SECRET": HOOK, "SIGNING_SECRET": SIGNING, "PUSH_TOKEN": PUSH, "SMTP_PASSWORD": "mail password"}

NOTIFY = """
console: {{ url: "https://remit.acme.example" }}
changes: {{ people: 1 }}
risk: {{ tiers: {{ medium: review }} }}
break_glass:
  leak: {{ agents: [ts-v1], tools: [fixture/delete_note], up_to: 10m, calls: 1, people: [team:finance], reviewers: [team:security] }}
notify:
  retry: {{ attempts: 6, first: 200ms, longest: 1s }}
  channels:
    mail:
      smtp: {{ server: "127.0.0.1:{mail}", security: none, from: remit@acme.example, to: [approvals@acme.example], arguments: true }}
    strict:
      smtp:
        server: localhost:{strict}
        security: starttls
        ca: {ca}
        user: remit
        password: env:SMTP_PASSWORD
        from: remit@acme.example
    wrapped:
      smtp: {{ server: "localhost:{wrapped}", security: tls, ca: {ca}, from: remit@acme.example }}
    stranger:
      smtp: {{ server: "localhost:{wrapped}", security: tls, from: remit@acme.example }}
    hook:
      webhook: {{ url: "{web}/hook", secret: env:HOOK_SECRET, arguments: true }}
    flaky:
      webhook: {{ url: "http://127.0.0.1:{flaky}/flaky", secret: env:HOOK_SECRET }}
    broken:
      webhook: {{ url: "{web}/broken", secret: env:HOOK_SECRET }}
    gone:
      webhook: {{ url: "{web}/gone", secret: env:HOOK_SECRET }}
    push:
      ntfy: {{ url: "{web}/push", token: env:PUSH_TOKEN }}
    chat:
      slack:
        url: env:CHAT_URL
        arguments: true
        callback:
          signing_secret: env:SIGNING_SECRET
          people: {{ UBOB: bob, UCAROL: carol, UDORA: dora, UFRED: fred, UNOBODY: nobody, UGIL: gil }}
  routes:
    - {{ for: [finance-sign-off], to: [mail] }}
    - {{ for: ["*"], to: [strict] }}
    - {{ for: [finance-sign-off], to: [wrapped], events: [asked] }}
    - {{ for: [finance-soon], to: [stranger, push], events: [asked] }}
    - {{ for: ["*"], to: [hook] }}
    - {{ for: ["*"], to: [flaky] }}
    - {{ for: ["*"], to: [gone, broken, push] }}
    - {{ for: ["*"], to: [chat] }}
"""


class Scene:
    """The sinks, the gateway, and what was found out."""

    def __init__(self, remit, work):
        self.results = []
        self.mail, self.mail_server, mail = mail_server()
        authority = trustme.CA()
        (work / "ca.pem").write_bytes(authority.cert_pem.bytes())
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(context)
        self.strict, self.strict_server, strict = strict_mail_server(context)
        self.wrapped, self.wrapped_server, wrapped = wrapped_mail_server(context)
        self.web = Web()
        self.web.status.update({"/broken": 500, "/gone": 410})
        self.flaky_port, self.flaky = free_port(), None
        notify = NOTIFY.format(mail=mail, strict=strict, wrapped=wrapped, web=self.web.url(""), flaky=self.flaky_port, ca=work / "ca.pem")
        self.house = House(remit, work, notify, {**SECRETS, "CHAT_URL": self.web.url("/chat")})

    def check(self, name, fine, detail=""):
        self.results.append(bool(fine))
        print(f"{'ok' if fine else 'FAILED'} {name}" + ("" if fine else f": {detail}"), flush=True)

    def hooks(self, question, path="/hook"):
        found = [(headers, body) for headers, body in self.web.at(path) if json.loads(body)["data"].get("question") == question]
        return found

    def heard(self, event, path="/hook"):
        """What the webhook was told of such events, as somebody who checks the signature reads it."""
        return [said for headers, body in self.web.at(path) if (said := Webhook(HOOK).verify(body, headers))["type"] == event]

    def blocks(self, question):
        """The buttons of the chat's message about a question."""
        for _, body in self.web.at("/chat"):
            message = json.loads(body)
            if question in body.decode():
                return message, {
                    element["action_id"]: element
                    for block in message["blocks"]
                    if block["type"] == "actions"
                    for element in block["elements"]
                }
        return None, {}

    def end(self):
        self.house.end()
        self.mail_server.stop()
        self.strict_server.stop()
        self.wrapped_server.stop()
        for web in filter(None, [self.web, self.flaky]):
            web.server.shutdown()


def refuses_to_start(scene):
    house = scene.house
    good = (house.folder / "remit.yaml").read_text()
    for name, missing in [("a secret that is not set", "HOOK_SECRET"), ("a signing secret that is not set", "SIGNING_SECRET")]:
        before = house.environment
        house.environment = {key: value for key, value in before.items() if key != missing}
        done = house.cli("serve")
        scene.check(f"{name} refuses to start", done.returncode != 0 and missing in done.stderr, done.stderr)
        house.environment = before
    before = house.environment
    house.environment = {**before, "HOOK_SECRET": "not a secret of that form"}
    done = house.cli("serve")
    fine = done.returncode != 0 and "whsec_" in done.stderr and "not a secret" not in done.stderr
    scene.check("a secret of another form refuses to start, and is not shown", fine, done.stderr)
    house.environment = {**before, "CHAT_URL": "http://chat.acme.example/hooks/1"}
    done = house.cli("serve")
    scene.check("a chat over plain HTTP refuses to start", done.returncode != 0 and "encrypted" in done.stderr, done.stderr)
    house.environment = before
    for name, old, new, words in [
        ("an unknown channel", "to: [chat]", "to: [chatt]", "did you mean `chat`"),
        ("an unknown rule", "for: [finance-sign-off]", "for: [finance]", "unknown approval rule"),
        ("mail in the open", "127.0.0.1:%d" % mail_port(scene), "10.0.0.1:25", "in the open"),
        ("a webhook over plain HTTP", scene.web.url("/hook"), "http://hooks.acme.example/x", "plain HTTP"),
        ("a webhook without a secret", ", secret: env:HOOK_SECRET, arguments: true", "", "`secret` is missing"),
        ("mail without saying how it is encrypted", ", security: none", "", "`security` is missing"),
    ]:
        assert old in good, old
        (house.folder / "remit.yaml").write_text(good.replace(old, new, 1))
        done = house.cli("check")
        scene.check(f"{name} is refused", done.returncode != 0 and words in done.stdout + done.stderr, done.stdout + done.stderr)
    (house.folder / "remit.yaml").write_text(good)


def mail_port(scene):
    return scene.mail_server.port


def people_are_told(scene):
    house, evil = scene.house, "www.evil.example \u202e<b>knab</b>\r\nBcc: x@evil.example https://evil.example/?a=1"
    house.evil = house.ask(to=evil, amount=500)
    question = house.evil
    mails = wait(lambda: len(scene.mail.mails) == 2 and list(scene.mail.mails))
    to = sorted(address for addresses, _, _ in mails or [] for address in addresses)
    scene.check("mail reaches the approver and the fixed address, and nobody else", to == ["approvals@acme.example", "bob@acme.example"], to)
    _, mail, _ = mails[0]
    text = mail.get_content()
    link = f"https://remit.acme.example/console/questions/{question}"
    own = all(len(addresses) == 1 and str(mail["to"]) == addresses[0] for addresses, mail, _ in mails)
    scene.check("each gets a mail of their own", own and not any(mail["cc"] for _, mail, _ in mails))
    scene.check("the subject holds nothing of the agent's", mail["subject"] == "Approval asked: ts-v1 calls fixture/pay", mail["subject"])
    scene.check("no header came from the arguments", mail["bcc"] is None and "evil" not in str(mail.items()))
    scene.check("and no line", not any(line.startswith("Bcc") for line in text.splitlines()) and "\\r\\nBcc" in text, text)
    scene.check("the mail says that a machine wrote it", mail["auto-submitted"] == "auto-generated")
    scene.check("the only link leads to the question", text.count("://") == 1 and link in text, text)
    scene.check("what the agent wrote is last, with invisible characters shown", "proves nothing" in text and text.rfind("evil") > text.rfind(link) and "\u202e" not in text and "⟨U+202E⟩" in text, text)
    shown = text[text.find("Arguments:") :]
    scene.check("and with nothing in it that becomes a link", "www.evil" not in text and "https[:]//evil[.]example" in shown, shown)
    same = len({mail["message-id"] for _, mail, _ in mails}) == 1 and mail["message-id"].startswith("<dlv_")
    scene.check("the message id is the delivery's name", same, [mail["message-id"] for _, mail, _ in mails])
    [(addresses, strict, encrypted)] = wait(lambda: list(scene.strict.mails)) or [((), None, False)]
    scene.check("mail goes by STARTTLS and a password where they are asked for", encrypted and addresses == ("bob@acme.example",), addresses)
    [(addresses, wrapped, encrypted)] = wait(lambda: list(scene.wrapped.mails)) or [((), None, False)]
    scene.check("mail goes by TLS from the first byte where that is said", encrypted and addresses == ("bob@acme.example",) and question in wrapped.get_content(), addresses)
    closed = strict is not None and "Arguments" not in strict.get_content() and "evil" not in strict.as_string()
    scene.check("arguments do not leave through a channel that may not show them", closed, strict)
    [(headers, body)] = wait(lambda: scene.hooks(question)) or [({}, b"")]
    told = Webhook(HOOK).verify(body, headers)
    scene.check("the webhook's signature is accepted by others", told["type"] == "question.asked" and told["data"]["question"] == question)
    scene.check("what the agent wrote stands apart", "evil" not in json.dumps({k: v for k, v in told["data"].items() if k != "untrusted"}) and "evil" in told["data"]["untrusted"]["arguments"])
    for name, other_headers, other_body in [
        ("another body", headers, body.replace(b"asked", b"moved")),
        ("another id", {**headers, "webhook-id": "dlv_other"}, body),
        ("another time", {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}, body),
    ]:
        try:
            Webhook(HOOK).verify(other_body, other_headers)
            scene.check(f"the signature is not that of {name}", False)
        except WebhookVerificationError:
            scene.check(f"the signature is not that of {name}", True)


def channels_fail(scene):
    house, question = scene.house, scene.house.evil
    first = wait(lambda: [d for d in house.deliveries(question=question) if d["channel"] == "flaky" and d["attempts"] > 0])
    scene.check("a receiver that is down is tried again", first and first[0]["error"], first)
    dead = wait(lambda: [d for d in house.deliveries(question=question, state="dead") if d["channel"] == "gone"])
    scene.check("one that is gone is not tried again", dead and dead[0]["attempts"] == 1 and len(scene.web.tried("/gone")) == 1, dead)
    [(headers, body)] = wait(lambda: scene.web.at("/push"), 30) or [({}, b"")]
    scene.check("when a channel is dead the next takes over", wait(lambda: [d for d in house.deliveries(question=question, state="dead") if d["channel"] == "broken" and d["attempts"] == 6]))
    scene.check("each attempt has the same name", len({headers["webhook-id"] for headers, _ in scene.web.tried("/broken")}) == 1 and len(scene.web.tried("/broken")) == 6, len(scene.web.tried("/broken")))
    scene.check("a push message has its title, link and token", headers.get("title") == "Approval asked: ts-v1 calls fixture/pay" and headers["click"].endswith(question) and headers["authorization"] == f"Bearer {PUSH}" and headers["priority"] == "4" and headers["actions"].startswith("view, Look at it, https://"), headers)
    scene.check("and no argument in it", b"Arguments" not in body and b"Touches" in body, body)
    errors = [d["error"] for d in house.deliveries(question=question) if d["error"]]
    scene.check("errors name no address and no URL", errors and not any("@" in error or "://" in error for error in errors), errors)
    listed = house.cli("deliveries", "--question", question)
    scene.check("remit deliveries shows it", listed.returncode == 0 and "broken" in listed.stdout and "dead" in listed.stdout, listed.stdout + listed.stderr)
    status, metrics = request("GET", f"{house.url}/metrics")
    scene.check("and the metrics count it", 'remit_deliveries_total{channel="broken",result="dead"} 1' in metrics)
    scene.check("and the log says it", "given up" in house.log.read_text())


def comes_back(scene):
    """The receiver of `flaky` was never there. Now a question is asked, and then it comes up."""
    house = scene.house
    question = house.ask(to="back", amount=501)
    wait(lambda: [d for d in house.deliveries(question=question) if d["channel"] == "flaky" and d["attempts"] >= 1])
    scene.flaky = Web(scene.flaky_port)
    done = wait(lambda: [d for d in house.deliveries(question=question, state="delivered") if d["channel"] == "flaky"])
    told = [Webhook(HOOK).verify(body, headers) for headers, body in scene.flaky.at("/flaky")]
    fine = done and done[0]["attempts"] > 1 and [t["data"]["question"] for t in told] == [question]
    scene.check("a message arrives when its receiver is back", fine, (done, told))


def answered(scene):
    house, question = scene.house, scene.house.evil
    status, said = request("POST", f"{house.url}/admin/v1/questions/{question}/votes", house.bob_key, {"choice": "deny", "reason": "no", "shown": house.question(question)["shown"]})
    assert status == 200, said
    told = wait(lambda: [json.loads(body) for _, body in scene.hooks(question) if json.loads(body)["type"] == "question.answered"])
    scene.check("those who were asked are told that it needs nobody any more", told and told[0]["data"]["state"] == "denied", told)
    done = wait(lambda: [d for d in house.deliveries(question=question) if d["event"] == "answered"])
    channels = {d["channel"] for d in done or []}
    scene.check("and those who never heard of it are not", "hook" in channels and not channels & {"broken", "gone"}, channels)
    heard = {d["event"] for d in house.deliveries(question=question) if d["channel"] == "wrapped"}
    scene.check("nor those who only want to hear what is asked", heard == {"asked"}, heard)


def over(scene):
    """Questions that need nobody any more, though nobody has voted."""
    house = scene.house
    told = lambda question: [json.loads(body) for _, body in scene.hooks(question) if not json.loads(body)["type"].endswith(".asked")]
    question = house.ask(to="soon", amount=6500)
    lapsed = wait(lambda: told(question))
    fine = lapsed and [(t["type"], t["data"]["state"]) for t in lapsed] == [("question.lapsed", "expired")]
    scene.check("those who were asked are told when it lapses", fine, lapsed)
    dead = wait(lambda: [d for d in house.deliveries(question=question, state="dead") if d["channel"] == "stranger"])
    handed = [mail for _, mail, _ in scene.wrapped.mails if question in mail.get_content()]
    scene.check("mail is not handed to a server that nobody vouches for", dead and not handed, dead)
    question = house.ask(to="narrower", amount=513)
    wait(lambda: [d for d in house.deliveries(question=question, state="delivered") if d["channel"] == "hook"])
    seen = house.question(question)
    body = {"arguments": {"to": "narrower", "amount": 50}, "reason": "less", "shown": seen["shown"]}
    status, said = request("POST", f"{house.url}/admin/v1/questions/{question}/narrow", house.bob_key, body)
    assert status == 200, said
    answered = wait(lambda: told(question))
    fine = answered and [(t["type"], t["data"]["state"]) for t in answered] == [("question.answered", "narrowed")]
    scene.check("and when another call takes its place", fine, answered)


def crash(scene):
    house, web = scene.house, scene.web
    before = len(scene.mail.mails)
    web.frozen.add("/hook")
    tries = len(web.tried("/hook"))
    question = house.ask(to="crash", amount=502)
    scene.check("an answered caller knows its question although nobody was told yet", wait(lambda: len(web.tried("/hook")) > tries))
    house.kill()
    scene.check("before the crash the webhook was not taken", not scene.hooks(question))
    web.frozen.clear()
    web.thaw.set()
    house.serve()
    told = wait(lambda: scene.hooks(question))
    scene.check("people are told after the restart", told and Webhook(HOOK).verify(told[0][1], told[0][0])["type"] == "question.asked")
    names = {headers["webhook-id"] for headers, body in web.tried("/hook") if json.loads(body)["data"]["question"] == question}
    scene.check("and whoever is told twice can tell", len(names) == 1, names)
    scene.check("mail arrives as well", wait(lambda: len(scene.mail.mails) >= before + 2))
    # Killed at once: whether anything was begun by then is chance, that all is owed is not.
    question = house.ask(to="at once", amount=503)
    house.kill()
    house.serve()
    scene.check("also when the crash follows at once", wait(lambda: scene.hooks(question)))
    wait(lambda: not house.deliveries(question=question, state="waiting"))
    repeated = [json.loads(body)["type"] for headers, body in scene.hooks(question)]
    house.ask(to="at once", amount=503)
    time.sleep(0.5)
    after = [json.loads(body)["type"] for headers, body in scene.hooks(question)]
    scene.check("asking the same again tells nobody twice", after == repeated, after)


def click(scene, value, user="UBOB", action="deny", age=0, secret=SIGNING, channel="chat", payload=None, body=None):
    """A click as the chat passes it on, signed by Slack's own library."""
    payload = payload or {"type": "block_actions", "user": {"id": user}, "actions": [{"action_id": action, "type": "button", "value": value}]}
    body = body or urllib.parse.urlencode({"payload": json.dumps(payload)})
    at = str(int(time.time()) - age)
    signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
    headers = {"x-slack-request-timestamp": at, "x-slack-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return headers, body


def passed_on(scene, headers, body, channel="chat"):
    return request("POST", f"{scene.house.url}/notify/v1/slack/{channel}", headers=headers, raw=body.encode())


def clicks(scene):
    house = scene.house
    question = house.ask(to="landlord", amount=504)
    wait(lambda: scene.blocks(question)[1])
    message, buttons = scene.blocks(question)
    scene.check("the chat's message links to the console", buttons["look"]["url"] == f"https://remit.acme.example/console/questions/{question}")
    scene.check("an approval is offered under what is shown whole", "approve" in buttons and "landlord" in json.dumps(message), list(buttons))
    scene.check("every text is plain", all(b["text"]["type"] == "plain_text" for b in message["blocks"] if b["type"] == "section" and "text" in b))
    evil_message, evil_buttons = scene.blocks(house.evil)
    scene.check("none is offered under what had to be altered", "approve" not in evil_buttons and "deny" in evil_buttons and "\u202e" not in json.dumps(evil_message, ensure_ascii=False))
    value = buttons["approve"]["value"]
    mine = lambda **more: passed_on(scene, *click(scene, value, action="approve", **more))
    is_open = lambda: house.question(question)["state"] == "open" and not house.question(question)["votes"]

    for name, status, sent in [
        ("without a signature", 401, ({"content-type": "application/x-www-form-urlencoded"}, click(scene, value)[1])),
        ("with a signature of another secret", 401, click(scene, value, action="approve", secret="another")),
        ("that is six minutes old", 401, click(scene, value, action="approve", age=6 * 60)),
        ("that comes from the future", 401, click(scene, value, action="approve", age=-6 * 60)),
        ("whose body was changed", 401, (click(scene, value, user="UCAROL", action="approve")[0], click(scene, value, action="approve")[1])),
    ]:
        found, said = passed_on(scene, *sent)
        scene.check(f"a click {name} is nobody's", found == status and is_open(), (found, said))
    headers, body = click(scene, value, action="approve")
    again = {**headers, "x-slack-request-timestamp": str(int(headers["x-slack-request-timestamp"]) + 1)}
    scene.check("a signature is of one time", passed_on(scene, again, body)[0] == 401)
    scene.check("a channel that is no chat takes no clicks", passed_on(scene, headers, body, "hook")[0] == 401)
    scene.check("nor does one that there is not", passed_on(scene, headers, body, "nowhere")[0] == 401)
    for name, user in [
        ("whose vote the rule does not count", "UCAROL"),
        ("whose role lets them only look", "UDORA"),
        ("whose key was revoked", "UFRED"),
        ("whom keys.yaml does not know", "UNOBODY"),
        ("whom the chat's channel does not know", "USTRANGER"),
    ]:
        found, said = mine(user=user)
        scene.check(f"a person {name} cannot vote by a click", found == 403 and is_open(), (found, said))
    other = house.ask(to="landlord", amount=505)
    forged = value.replace(question, other)
    found, said = passed_on(scene, *click(scene, forged, action="approve"))
    scene.check("a button that somebody else made is not ours", found == 400 and house.question(other)["votes"] == [], (found, said))
    found, said = passed_on(scene, *click(scene, value.replace("approve", "deny"), action="deny"))
    scene.check("nor is one whose choice was changed", found == 400 and is_open(), (found, said))
    look = {"type": "block_actions", "user": {"id": "UBOB"}, "actions": [{"action_id": "look", "type": "button"}]}
    scene.check("a click on the link changes nothing", passed_on(scene, *click(scene, value, payload=look))[0] == 200 and is_open())
    twice = {"type": "block_actions", "user": {"id": "UBOB"}, "actions": [{"action_id": "approve", "value": value}] * 2}
    scene.check("two actions are no click", passed_on(scene, *click(scene, value, payload=twice))[0] == 400 and is_open())

    verifier = SignatureVerifier(SIGNING, Clock())
    headers, body = click(scene, value, action="approve")
    assert verifier.is_valid_request(body, headers)
    found, said = passed_on(scene, headers, body)
    votes = house.question(question)["votes"]
    fine = found == 200 and said["state"] == "approved" and [(v["by"], v["choice"]) for v in votes] == [("bob", "approve")]
    scene.check("the person behind the click votes, and not the chat", fine, (found, said, votes))
    found, said = passed_on(scene, headers, body)
    scene.check("the same click a second time is a replay", found == 409 and len(house.question(question)["votes"]) == 1, (found, said))
    found, said = mine()
    scene.check("another click of theirs counts no more", found == 409 and len(house.question(question)["votes"]) == 1, (found, said))
    house.kill()
    house.serve()
    found, said = passed_on(scene, headers, body)
    scene.check("a replay after a restart counts no more either", found == 409 and len(house.question(question)["votes"]) == 1, (found, said))


def tries(scene):
    house = scene.house
    before = len(scene.web.at("/hook"))
    done = house.cli("notify", "test", "hook")
    sent = scene.web.at("/hook")[before:]
    fine = done.returncode == 0 and len(sent) == 1 and Webhook(HOOK).verify(sent[0][1], sent[0][0])["type"] == "test"
    scene.check("remit notify test sends a message", fine, done.stdout + done.stderr)
    mails = len(scene.mail.mails)
    done = house.cli("notify", "test", "mail")
    scene.check("also by mail, to whoever orders it", done.returncode == 0 and wait(lambda: len(scene.mail.mails) == mails + 2), done.stderr)
    done = house.cli("notify", "test", "broken")
    scene.check("and says what a channel answered", done.returncode != 0 and "500" in done.stdout + done.stderr, done.stderr)
    done = house.cli("notify", "test", "nowhere")
    scene.check("or that there is none", done.returncode != 0 and "no channel" in done.stdout + done.stderr, done.stderr)
    done = house.cli("doctor")
    scene.check("remit doctor looks at the channels", "channel strict" in done.stdout and "given up" in done.stdout, done.stdout)
    status, _ = request("POST", f"{house.url}/admin/v1/notify/test", house.agent_key, {"channel": "hook"})
    scene.check("an agent tests nothing", status == 401)
    scene.web.status["/hook"] = 302
    done = house.cli("notify", "test", "hook")
    scene.check("a redirect is not followed", done.returncode != 0 and not scene.web.tried("/elsewhere"), done.stderr)
    del scene.web.status["/hook"]


def half_a_mail(scene):
    """One of two addresses is refused for good: the other is written to, once."""
    house = scene.house
    scene.mail.refuse.add("approvals@acme.example")
    before = len(scene.mail.mails)
    question = house.ask(to="half", amount=506)
    done = wait(lambda: [d for d in house.deliveries(question=question, state="delivered") if d["channel"] == "mail"])
    new = [addresses for addresses, _, _ in scene.mail.mails[before:]]
    scene.check("one address that is refused keeps nobody else from their mail", done and new == [("bob@acme.example",)], (done, new))
    scene.mail.refuse.clear()


def reloads(scene):
    house = scene.house
    file = house.folder / "remit.yaml"
    good = file.read_text()
    file.write_text(good.replace("secret: env:HOOK_SECRET, arguments: true", "secret: env:NOT_SET, arguments: true"))
    status, said = request("POST", f"{house.url}/admin/v1/reload", house.bob_key, {})
    scene.check("a reload without a secret is refused", status == 422 and "NOT_SET" in json.dumps(said), said)
    question = house.ask(to="reload", amount=507)
    scene.check("and the last good channels stay", wait(lambda: scene.hooks(question)))
    file.write_text(good.replace("  routes:\n", "  routes:\n    - { for: [\"*\"], to: [push] }\n"))
    status, said = request("POST", f"{house.url}/admin/v1/reload", house.bob_key, {})
    assert status == 200, said
    question = house.ask(to="reload", amount=508)
    pushed = wait(lambda: [headers for headers, _ in scene.web.at("/push") if headers["click"].endswith(question)], 5)
    scene.check("a reload puts other routes into force", pushed)


def button_of_ours(scene, question, choice):
    """What only the gateway can make: by its own key, which lies beside its store."""
    key, seen = (scene.house.work / "out/session.key").read_bytes(), scene.house.question(question)
    marked = f"remit slack button v1\nchat\n{question}\n{seen['sight']['call']}\n{seen['shown']}\n{choice}"
    return f"{choice} {question} {seen['shown']} {hmac.new(key, marked.encode(), 'sha256').hexdigest()}"


def demands(scene):
    """What a click is worth under rules that demand more than a click, and once something has changed."""
    house = scene.house
    tools = house.folder / "upstreams/fixture.yaml"

    def replaced(file, old, new):
        text = file.read_text()
        assert old in text, old
        file.write_text(text.replace(old, new, 1))
        status, said = request("POST", f"{house.url}/admin/v1/reload", house.bob_key, {})
        assert status == 200, said

    def asked(amount):
        question = house.ask(to="demands", amount=amount)
        return question, wait(lambda: scene.blocks(question)[1])

    def refused(question, value, choice, status, words):
        found, said = passed_on(scene, *click(scene, value, action=choice))
        return found == status and words in json.dumps(said) and not house.question(question)["votes"], (found, said)

    question, buttons = asked(509)
    same = [buttons[choice]["value"] == button_of_ours(scene, question, choice) for choice in ("approve", "deny")]
    scene.check("this test knows how a button is made", same == [True, True], buttons)
    replaced(tools, "    risk: high\n    reversible: false\n", "    risk: critical\n    reversible: false\n")
    replaced(tools, "    risk: high\n    reversible: false\n", "    risk: critical\n    reversible: false\n")
    for choice in ("approve", "deny"):
        fine = refused(question, buttons[choice]["value"], choice, 409, "what this message showed is not what is asked any more")
        scene.check(f"a click to {choice} what has changed since counts nothing", *fine)
    old = button_of_ours(scene, question, "approve").split(" ")
    mixed = " ".join([*old[:3], buttons["approve"]["value"].split(" ")[3]])
    scene.check("and what was shown cannot be replaced in a button", *refused(question, mixed, "approve", 400, "not made by this gateway"))

    question, buttons = asked(1500)
    scene.check("a rule that wants to know why is not approved by a button", sorted(buttons) == ["deny", "look"], buttons)
    scene.check("not even by one of ours", *refused(question, button_of_ours(scene, question, "approve"), "approve", 400, "say why"))

    for word, amount, words in [
        ("password+totp", 2500, "counts no vote by `channel`"),
        ("oidc", 3500, "counts no vote by `channel`"),
        ("passkey", 4500, "signed by the voter's own passkey"),
    ]:
        question, buttons = asked(amount)
        scene.check(f"no click is offered under a rule that demands {word}", sorted(buttons) == ["look"], buttons)
        for choice in ("approve", "deny"):
            value = button_of_ours(scene, question, choice)
            scene.check(f"and a click to {choice} is none of its votes", *refused(question, value, choice, 403, words))


def escalates(scene):
    """Whom a later step asks is told once it is due, and once only."""
    house = scene.house
    question = house.ask(to="later", amount=5500)
    told = lambda: [addresses for addresses, mail, _ in scene.strict.mails if mail["subject"].startswith("Escalated to you") and question in mail.get_content()]
    done = wait(lambda: [d for d in house.deliveries(question=question, state="delivered") if d["event"] == "escalated-1" and d["channel"] == "strict"])
    to = sorted(address for addresses in told() for address in addresses)
    scene.check("whom a later step asks is told when it is due", done and to == ["bob@acme.example", "carol@acme.example"], (done, to))
    value = button_of_ours(scene, question, "approve")
    found, said = passed_on(scene, *click(scene, value, user="UCAROL", action="approve"))
    scene.check("and votes by a click, as whom they are", found == 200 and [v["by"] for v in house.question(question)["votes"]] == ["carol"], (found, said))
    house.kill()
    house.serve()
    time.sleep(3)
    scene.check("a step is told once, over restarts too", len(told()) == 2, told())
    question = house.ask(to="nobody's key", amount=512)
    value = button_of_ours(scene, question, "deny")
    found, said = passed_on(scene, *click(scene, value, user="UGIL"))
    votes = [(v["by"], v["choice"], v["factor"]) for v in house.question(question)["votes"]]
    scene.check("a person without a key can vote by a click, by the weakest factor", found == 200 and votes == [("gil", "deny", "channel")], (found, said))


def linked(scene, event, page, **says):
    """Such an event reaches the webhook once, with a link to this page and these facts."""
    told = wait(lambda: scene.heard(event))
    data = told[0]["data"] if told else {}
    fine = len(told or []) == 1 and data["link"] == f"https://remit.acme.example/console{page}"
    return fine and all(data.get(name) == text for name, text in says.items()), told


def written(scene, title):
    """Who was sent mail under such a title."""
    return wait(lambda: [address for addresses, mail, _ in scene.strict.mails if mail["subject"].startswith(title) for address in addresses])


def what_is_no_question(scene):
    """Events of the whole house: each leads to the page where something can be done about it."""
    house = scene.house
    body = {"tools": ["fixture/delete_note"], "for_secs": 600, "calls": 1, "reason": "one note is wrong"}
    status, said = request("POST", f"{house.url}/v1/access-requests", house.agent_key, body)
    asked = wait(lambda: [told for told in scene.heard("question.asked") if told["data"].get("question") == said.get("question")])
    scene.check("a request for access is told as a question", status in (200, 201, 202) and asked, (status, said))

    settings = house.folder / "remit.yaml"
    settings.write_text(settings.read_text().replace("    within: 30m\n", "    within: 40m\n", 1))
    status, said = request("POST", f"{house.url}/admin/v1/reload", house.bob_key, {})
    pending = (said.get("pending") or {}).get("change")
    scene.check("a change that protects less waits for people", status in (200, 202) and pending, (status, said))
    scene.check("they are told, with a link to it", *linked(scene, "change.proposed", f"/changes/{pending}", change=pending, by="bob"))
    scene.check("mail of it goes to whoever may vote on it", written(scene, "A change waits for people") == ["sina@acme.example"])

    done = house.cli("break-glass", "leak", "--incident", "INC-7", "--reason", "a note leaks")
    scene.check("an emergency is told, with a link to where it is reviewed", *linked(scene, "glass.broken", "/access", incident="INC-7", by="bob"))
    to = written(scene, "The glass was broken")
    scene.check("mail of it goes to whoever may review it", done.returncode == 0 and "sina@acme.example" in (to or []), (to, done.stderr))

    body = {"tool": "fixture/write_note", "arguments": {"path": "scratch/reviewed", "text": "x"}}
    status, said = request("POST", f"{house.url}/v1/calls", house.agent_key, body)
    scene.check("a call of medium risk goes through", status == 200 and said.get("status") == "done", (status, said))
    question = house.ask(to="reminded", amount=514)
    house.kill()
    # A day goes by for the call, and twenty-four minutes for the question.
    with sqlite3.connect(house.work / "out/remit.db") as store:
        store.execute("UPDATE intents SET at = at - 25 * 3600 * 1000000 WHERE tool = 'fixture/write_note'")
        store.execute("UPDATE deliveries SET next_at = created_at WHERE event = 'lapsing' AND about = ?", [question])
    store.close()
    house.serve()
    scene.check("people are told of calls that nobody has looked at for a day, with a link to them", *linked(scene, "reviews.due", "/reviews", waiting="1"))
    reminded = wait(lambda: [told for told in scene.heard("question.lapsing") if told["data"]["question"] == question])
    scene.check("and reminded of a question whose time is nearly over", reminded)
    house.kill()
    house.serve()
    time.sleep(3)
    # A kill between the answer and its note tells the same message again, under the same id; never another one.
    due = [headers["webhook-id"] for headers, body in scene.web.at("/hook") if json.loads(body)["type"] == "reviews.due"]
    scene.check("once a day, over restarts too", len(set(due)) == 1, due)


def main():
    # The mail servers complain when the gateway is killed, and of their own next version.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(sys.argv[1], Path(folder))
        try:
            refuses_to_start(scene)
            scene.house.serve()
            scene.house.approve_tools()
            for part in [people_are_told, channels_fail, comes_back, answered, over, clicks, crash, tries, half_a_mail, reloads, demands, escalates, what_is_no_question]:
                print(f"\n## {part.__name__}", flush=True)
                try:
                    part(scene)
                except Exception:
                    scene.check(part.__name__, False, traceback.format_exc())
            log = scene.house.log.read_text()
            leaked = [name for name, secret in SECRETS.items() if secret in log]
            scene.check("no secret stands in the log", not leaked, leaked)
            if not all(scene.results):
                print(log[-6000:], file=sys.stderr)
        except Exception:
            scene.check("the scene", False, traceback.format_exc())
        finally:
            scene.end()
    print(f"\n{scene.results.count(True)} passed, {scene.results.count(False)} failed")
    return 0 if all(scene.results) else 1


if __name__ == "__main__":
    sys.exit(main())
