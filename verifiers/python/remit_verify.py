#!/usr/bin/env python3
"""A second verifier of evidence. It follows docs/evidence-format.md and shares no code with the first.

    remit_verify.py BUNDLE --trust FILE [--next FILE]... [--fingerprint HEX] [--state DIR] [--json]

Needs Python 3.11 and `cryptography` 50 or newer (for ML-DSA). Numbers in comments are sections of that page. It
remembers nothing: `--state` is read and never written. Exit codes: 0 VALID, 1 INVALID, 2 INDETERMINATE or wrong
use, 3 DIVERGED.
"""

import argparse
import base64
import binascii
import datetime
import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

ADDS, TAKES = {"passkey_added", "person_returned"}, {"passkey_removed", "invited", "login_given", "person_removed"}
ABOUT_CALLS = ("decision", "approval", "execution", "grant")
KINDS = "decision approval execution run halt policy key grant erasure peer".split()
TYPES = {f"https://remit.dev/evidence/{kind}/v1": kind for kind in KINDS}
RECORD_TYPE = "application/vnd.in-toto+json"
TRUST_TYPE = "application/vnd.remit.trust+json"
EVENTS_OF_ROOT = ("log_ended", "log_begun", "log_key_revoked")
ED25519, COSIGNATURE, ML_DSA_44 = 1, 4, 6
STEPS = "form statement checkpoint quorum inclusion signature delegation disclosures story time anchor consistency history".split()
HOLDS, MISSING, DIVERGES, FAILS = "holds", "missing", "diverges", "fails"
VERDICTS = {FAILS: ("INVALID", 1), DIVERGES: ("DIVERGED", 3), MISSING: ("INDETERMINATE", 2), HOLDS: ("VALID", 0)}


class Malformed(Exception):
    pass


class Answer(Exception):
    """The answer of one check: outcome and words."""


def need(condition, what):
    if not condition:
        raise Malformed(what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Reading ---------------------------------------------------------------------------------------------------------


def members_once(pairs):
    need(len({name for name, _ in pairs}) == len(pairs), "a member stands twice")
    return dict(pairs)


def constant(text):
    raise Malformed(f"no JSON: {text}")


def depth_of(value, at=0):
    need(at <= 64, "nesting too deep")
    if isinstance(value, str):
        need(not any("\ud800" <= c <= "\udfff" for c in value), "a lone surrogate")
    inner = value if isinstance(value, list) else [*value, *value.values()] if isinstance(value, dict) else []
    return max([at, *(depth_of(item, at + 1) for item in inner if not isinstance(item, str) or depth_of(item, at) is None)])


def parse(content):
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=members_once, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error}") from None
    depth_of(value)
    return value


def members(value, names, optional=()):
    need(isinstance(value, dict), "no object")
    need(set(names) <= set(value) <= {*names, *optional}, f"members {sorted(value)}")
    return value


def text(value):
    need(isinstance(value, str), "no text")
    return value


def whole(value, least=0, below=2**53):
    need(type(value) is int and least <= value < below, "no whole number")
    return value


def listed(value, read):
    need(isinstance(value, list), "no list")
    return [read(item) for item in value]


def unbase64(value, size=None):
    try:
        content = base64.b64decode(text(value), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("no base64") from None
    need(base64.b64encode(content).decode() == value, "no canonical base64")
    need(size is None or len(content) == size, "wrong length")
    return content


def members_any(value):
    need(isinstance(value, dict), "no object")
    return value


def unhex(value, size=32):
    need(re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text(value)), "no hex")
    return bytes.fromhex(value)


def decimal(value):
    need(re.fullmatch("0|[1-9][0-9]{0,18}", value) and int(value) < 2**63, "no number")
    return int(value)


def instant(value):
    need(re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", text(value)), "no time")
    try:
        at = datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        raise Malformed("no such time") from None
    return (at - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1)


# Signatures ------------------------------------------------------------------------------------------------------

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL = {0, 1, P - 1, ORDER_8, P - ORDER_8}


def sound_point(encoded):
    """Canonical, on the curve, and not of small order."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    if y >= P or y in SMALL:
        return False
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    return pow(x2, (P - 1) // 2, P) == 1


def ed25519(key, message, signature):
    if len(signature) != 64 or not sound_point(key) or not sound_point(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def ml_dsa_44(key, message, signature):
    try:
        MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def point(value):
    key = unhex(value)
    need(sound_point(key), "no sound key")
    return key


class Envelope:
    """1."""

    def __init__(self, value, payload_type=RECORD_TYPE):
        members(value, ["payload", "payloadType", "signatures"])
        need(value["payloadType"] == payload_type, "wrong payload type")
        self.payload = unbase64(value["payload"])
        need(len(self.payload) <= 65536, "payload too large")
        need(isinstance(value["signatures"], list) and len(value["signatures"]) == 1, "not one signature")
        signature = members(value["signatures"][0], ["keyid", "sig"])
        self.keyid, self.signature = text(signature["keyid"]), unbase64(signature["sig"], 64)
        head = f"DSSEv1 {len(payload_type)} {payload_type} {len(self.payload)} "
        self.pae = head.encode() + self.payload
        self.digest = sha256(self.pae)

    def same(self, other):
        return (self.pae, self.keyid, self.signature) == (other.pae, other.keyid, other.signature)

    def signed_by(self, key):
        return ed25519(key, self.pae, self.signature)


# Statements (2) --------------------------------------------------------------------------------------------------


def plain(value, depth=0):
    need(depth <= 16, "nested too deeply")
    need(not isinstance(value, float), "a fraction")
    if type(value) is int:
        need(-(2**63) <= value < 2**63, "a number too large")
    for item in value if isinstance(value, list) else value.values() if isinstance(value, dict) else []:
        plain(item, depth + 1)


class Statement:
    def __init__(self, envelope, trust):
        value = parse(envelope.payload)
        named = value.get("predicateType") if isinstance(value, dict) else None
        if not isinstance(named, str) or named not in trust.accept:
            raise Answer(MISSING, "a type that is not accepted")
        plain(value)
        members(value, ["_type", "predicate", "predicateType", "subject"])
        need(value["_type"] == "https://in-toto.io/Statement/v1", "no in-toto statement")
        body = self.body = value["predicate"]
        need(isinstance(body, dict), "no predicate")
        self.kind = TYPES[named]
        need(type(body.get("v")) is int and body["v"] == 1 and body.get("kind") == self.kind, "kind and type disagree")
        self.id, self.time = text(body.get("record_id")), instant(body.get("time"))
        writer = members(body.get("writer"), ["key", "seq"])
        self.writer, self.seq = text(writer["key"]), whole(writer["seq"])
        self.run = None
        if "run" in body:
            need(isinstance(body["run"], dict), "no run")
            self.run = text(body["run"].get("id"))
        links = listed(body.get("links", []), lambda link: members(link, ["rel", "digest"]))
        self.links = [(text(link["rel"]), unhex(link["digest"])) for link in links]
        self.committed = listed(body.get("_sd", []), unhex)
        need(len(self.links) <= 64 and self.committed == sorted(set(self.committed)), "links or commitments")
        nonce = unhex(body.get("nonce"), 16).hex()
        self.action = self.subject(value["subject"], nonce)
        self.seen = self.log_seen(body["log_seen"]) if "log_seen" in body else None
        need(body.get("tenant") == trust.tenant, "a record of another tenant")

    def subject(self, value, nonce):
        """The call that it is about; none of what is about no call, and then the subject is the record itself."""
        need(isinstance(value, list) and len(value) == 1, "not one subject")
        subject = members(value[0], ["digest", "name"])
        named = unhex(members(subject["digest"], ["sha256"])["sha256"])
        if subject["name"] == "action" and self.kind in ABOUT_CALLS:
            return named
        own = sha256((nonce + "".join(digest.hex() for digest in self.committed)).encode())
        need(subject["name"] == "record" and named == own, "the subject of another record")
        return None

    def log_seen(self, value):
        members(value, ["origin", "size", "root"])
        return text(value["origin"]), whole(value["size"]), unhex(value["root"])

    def rule(self, name):
        """How many people a rule takes, as a decision states it: definition, quorum, denials."""
        rules = self.body.get("rules")
        rules = [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
        for rule in rules:
            if rule.get("rule") == name:
                unhex(rule.get("definition"))
                return rule["definition"], whole(rule.get("quorum"), 1), whole(rule.get("deny"), 1)
        return None

    def people(self):
        """The commitments by which a vote names people."""
        names = listed(self.body.get("people"), unhex)
        need(1 <= len(names) <= 4 and names == sorted(set(names)), "whose vote it is")
        return names

    def at(self, *path):
        value = self.body
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None

    def texts(self, name):
        value = self.body.get(name)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def linked(self, rel):
        return [digest for known, digest in self.links if known == rel]

    def value(self, name):
        return self.body.get(name)

    def is_delegation(self):
        return self.kind == "key" and ("delegate" in self.body or "event" not in self.body)

    def is_of_root(self):
        """A root signs these; how a person's own keys changed, a writer does."""
        return self.is_delegation() or self.kind == "key" and self.at("event") in EVENTS_OF_ROOT

    def delegate(self):
        try:
            return point(self.body.get("delegate"))
        except Malformed:
            return None


# Votes (9) -------------------------------------------------------------------------------------------------------

STATEMENT_TYPE = "https://remit.dev/approval-statement/v1"
COVERED = "_type tenant question action rule definition choice shown expires approver reason".split()
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED, EXTENDED, RESERVED = 1, 4, 8, 16, 64, 128, 2 | 32


def canonical(value):
    """RFC 8785, for objects of texts in ASCII."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def unbase64url(value):
    need(re.fullmatch("[A-Za-z0-9_-]+", text(value)), "no base64url")
    return unbase64(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4))


def passkey(named):
    """Whether a signature is this key's, as a function of message and signature."""
    algorithm, _, encoded = named.partition(":")
    key = unbase64url(encoded)
    if algorithm == "ed25519":
        need(len(key) == 32 and sound_point(key), "no key")
        return lambda message, signature: ed25519(key, message, signature)
    need(algorithm == "es256" and len(key) == 65 and key[0] == 4, "no key")
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        raise Malformed("no key") from None

    def es256(message, signature):
        try:
            public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    return es256


def answered(assertion, covered):
    """W3C WebAuthn Level 3, 7.2: the passkey that signed this statement."""
    names = "key rp_id origins client_data authenticator_data signature".split()
    members(assertion, names)
    origins = listed(assertion["origins"], text)
    client, seen = unbase64url(assertion["client_data"]), unbase64url(assertion["authenticator_data"])
    signature, signed = unbase64url(assertion["signature"]), passkey(text(assertion["key"]))
    need(len(client) <= 4096 and 37 <= len(seen) <= 4096, "too long or too short")
    said = parse(client)
    need(isinstance(said, dict) and said.get("type") == "webauthn.get", "another ceremony")
    challenge = base64.urlsafe_b64encode(sha256(canonical(covered))).rstrip(b"=").decode()
    need(said.get("challenge") == challenge, "another challenge was answered")
    need(said.get("origin") in origins and isinstance(said.get("origin"), str), "answered on another site")
    need(said.get("crossOrigin", False) is False and "topOrigin" not in said, "answered inside another site")
    need(seen[:32] == sha256(text(assertion["rp_id"]).encode()), "a credential of another site")
    flags = seen[32]
    need(flags & PRESENT and flags & VERIFIED, "nobody was there, or nobody was verified")
    need(not flags & (RESERVED | ATTESTED), "flags without meaning here")
    need(flags & ELIGIBLE or not flags & BACKED_UP, "copied, and may not be")
    need(seen[37:38] and seen[37] >> 5 == 5 if flags & EXTENDED else len(seen) == 37, "bytes without meaning")
    need(signed(seen + sha256(client), signature), "the passkey's signature does not verify")
    return assertion["key"]


# Tree (3) --------------------------------------------------------------------------------------------------------


def node(left, right):
    return sha256(b"\1", left, right)


def included(leaf, index, size, path, root):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node(p, r)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(first, first_root, second, second_root, path):
    """RFC 9162, 2.1.4.2."""
    if not 0 < first < second or not path:
        return False
    if first & (first - 1) == 0:
        path = [first_root, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0


# Notes, checkpoints, policies (4) --------------------------------------------------------------------------------


def key_name(name):
    return bool(name) and not any(c.isspace() or c == "+" or ord(c) < 32 or 127 <= ord(c) < 160 for c in name)


class Key:
    def __init__(self, line):
        self.line, parts = line, line.split("+", 2)
        need(len(parts) == 3, "no verifier key")
        self.name, material = parts[0], unbase64(parts[2])
        need(key_name(self.name) and material, "no name")
        self.algorithm, self.key = material[0], material[1:]
        self.id = sha256(self.name.encode(), b"\n", material)[:4]
        need(self.id.hex() == parts[1], "the id of another key")
        size = {ED25519: 32, COSIGNATURE: 32, ML_DSA_44: 1312}.get(self.algorithm)
        need(len(self.key) == size, "no key of a known algorithm")
        need(self.algorithm == ML_DSA_44 or sound_point(self.key), "no sound key")

    def verify(self, checkpoint, body, blob):
        """The time that is stated, 0 for none; or None, if this is no signature of the key."""
        if self.algorithm == ED25519:
            return 0 if ed25519(self.key, body.encode(), blob) else None
        time, signature = int.from_bytes(blob[:8], "big"), blob[8:]
        if len(blob) < 8 or time >= 2**63:
            return None
        if self.algorithm == COSIGNATURE:
            return time if ed25519(self.key, f"cosignature/v1\ntime {time}\n{body}".encode(), signature) else None
        name, origin = self.name.encode(), checkpoint.origin.encode()
        if len(name) > 255 or len(origin) > 255 or len(signature) != 2420:
            return None
        message = b"subtree/v1\n\0" + bytes([len(name)]) + name + blob[:8] + bytes([len(origin)]) + origin
        message += bytes(8) + checkpoint.size.to_bytes(8, "big") + checkpoint.root
        return time if ml_dsa_44(self.key, message, signature) else None


class Note:
    """A note whose text is a checkpoint."""

    def __init__(self, note):
        need(len(note.encode()) <= 512 * 1024 and "\n\n" in note, "no note")
        end = note.rindex("\n\n") + 1
        self.text, lines = note[:end], note[end:]
        need(not any(ord(c) < 32 and c != "\n" for c in self.text), "a control character")
        need(len(lines) > 2 and lines.startswith("\n") and lines.endswith("\n"), "no lines of signature")
        self.lines = [self.line(line) for line in lines[1:-1].split("\n")]
        need(len(self.lines) <= 64, "too many signatures")
        self.origin, size, root, *self.more = self.text[:-1].split("\n") if self.text.count("\n") > 2 else [""] * 3
        need(self.origin and all(self.more), "no checkpoint")
        self.size, self.root = decimal(size), unbase64(root, 32)
        need(self.size > 0 or self.root == sha256(), "the empty tree has one root")
        self.head = (self.origin, self.size, self.root)

    @staticmethod
    def line(line):
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014" and key_name(parts[1]), "no line of signature")
        blob = unbase64(parts[2])
        need(len(blob) > 4, "no signature")
        return parts[1], blob[:4], blob[4:]


class Policy:
    def __init__(self, policy):
        need(policy.endswith("\n") or not policy, "a line does not end")
        self.logs, self.parts, self.member, self.quorum = [], {}, set(), None
        used = set()
        for line in policy.split("\n")[:-1]:
            need(not any((ord(c) < 32 and c != "\t") or ord(c) == 127 for c in line), "a control character")
            words = [word for word in re.split("[ \t]", line) if word]
            if not words or words[0].startswith("#"):
                continue
            word, *words = words
            if word == "log" and len(words) in (1, 2):
                self.logs.append(self.key(words[0], ED25519, used))
            elif word == "witness" and len(words) in (2, 3):
                self.define(words[0], self.key(words[1], COSIGNATURE, used))
            elif word == "group" and len(words) > 2:
                name, least, *names = words
                for one in names:
                    need(one in self.parts and one not in self.member, "no member")
                    self.member.add(one)
                least = {"any": 1, "all": len(names)}.get(least) or decimal(least)
                need(1 <= least <= len(names), "no threshold")
                self.define(name, (least, names))
            elif word == "quorum" and len(words) == 1 and self.quorum is None:
                need(words[0] == "none" or words[0] in self.parts, "no quorum")
                self.quorum = words[0]
            else:
                raise Malformed("no line of a policy")
        need(self.quorum is not None, "no quorum")
        self.witnesses = [part for part in self.parts.values() if isinstance(part, Key)]

    @staticmethod
    def key(line, algorithm, used):
        key = Key(line)
        need(key.algorithm in (algorithm, ML_DSA_44) and key.key not in used, "a key that cannot stand here")
        used.add(key.key)
        return key

    def define(self, name, part):
        need(name != "none" and name not in self.parts, "a name that is taken")
        self.parts[name] = part

    def met(self, seen, name=None):
        name = name or self.quorum
        part = self.parts.get(name)
        if name == "none":
            return True
        if isinstance(part, Key):
            return part.key in seen
        return sum(self.met(seen, one) for one in part[1]) >= part[0]


# Trust (5) -------------------------------------------------------------------------------------------------------


# Stamps of time (RFC 3161) -------------------------------------------------------------------------------------------

OIDS = {
    "signed data": "2a864886f70d010702", "statement": "2a864886f70d0109100104", "content": "2a864886f70d010903",
    "digest": "2a864886f70d010904", "certificate": "2a864886f70d010910022f",
}
OIDS = {name: bytes.fromhex(value) for name, value in OIDS.items()}
HASHES = {bytes.fromhex("6086480165030402") + bytes([n]): h for n, h in enumerate((hashes.SHA256, hashes.SHA384, hashes.SHA512), 1)}
SHA256_OID = next(iter(HASHES))
RSA, PSS = bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a864886f70d01010a")
SIGNATURES = {bytes.fromhex("2a864886f70d0101") + bytes([n]): (rsa.RSAPublicKey, h) for n, h in zip((11, 12, 13), HASHES.values())}
SIGNATURES |= {bytes.fromhex("2a8648ce3d0403") + bytes([n]): (ec.EllipticCurvePublicKey, h) for n, h in zip((2, 3, 4), HASHES.values())}


class Unnamed(Exception):
    """A good token of nobody the trust document names."""


def elements(content):
    """Elements of DER: tag, value, and the whole."""
    found = []
    while content:
        need(len(content) > 1 and content[0] & 31 != 31 and content[1] <= 0x82 and content[1] != 0x80, "no DER")
        wide = content[1] & 0x7F if content[1] > 0x7F else 0
        size = int.from_bytes(content[2 : 2 + wide], "big") if wide else content[1]
        need(size >= (0, 0x80, 0x100)[wide] and 2 + wide + size <= len(content), "no DER")
        found.append((content[0], content[2 + wide : 2 + wide + size], content[: 2 + wide + size]))
        content = content[2 + wide + size :]
    return found


def shaped(content, *tags, more=False):
    """The values of elements with these tags; one in a list may be missing."""
    found, left = [], elements(content)
    for tag in tags:
        here = left and left[0][0] == (tag[0] if isinstance(tag, list) else tag)
        need(here or isinstance(tag, list), "another element was expected")
        found.append(left.pop(0)[1] if here else None)
    need(more or not left, "something is left over")
    return found


def hash_of(algorithm):
    oid, _ = shaped(algorithm, 6, [5])
    need(oid in HASHES, "a hash that does not count")
    return HASHES[oid]


def digest_of(of, content):
    return hashlib.new(of.name, content).digest()


def certificate_of(content):
    try:
        return x509.load_der_x509_certificate(content)
    except ValueError:
        raise Malformed("no certificate") from None


def generalized(value):
    """A time and its fraction, in milliseconds since 1970, rounded up."""
    found = re.fullmatch(rb"([0-9]{14})(?:\.([0-9]{1,9}))?Z", value)
    need(found, "no time")
    try:
        at = datetime.datetime.strptime(found[1].decode(), "%Y%m%d%H%M%S")
    except ValueError:
        raise Malformed("no such time") from None
    fraction = -(-int((found[2] or b"0").ljust(9, b"0")) // 10**6)
    return (at - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1) + fraction


class Token:
    """What a token says of these bytes. Who may say it, `stated` asks."""

    def __init__(self, token, content):
        need(len(token) <= 48 * 1024, "too large")
        kind, data = shaped(shaped(token, 0x30)[0], 6, 0xA0)
        need(kind == OIDS["signed data"], "no signed data")
        _, _, inner, enclosed, _, signers = shaped(shaped(data, 0x30)[0], 2, 0x31, 0x30, [0xA0], [0xA1], 0x31)
        kind, statement = shaped(inner, 6, 0xA0)
        need(kind == OIDS["statement"], "no statement of a time")
        statement = shaped(statement, 4)[0]
        self.enclosed = [whole for tag, _, whole in elements(enclosed or b"") if tag == 0x30]
        need(len(elements(enclosed or b"")) <= 16, "too many certificates")
        _, (tag, _, _), *rest = elements(shaped(signers, 0x30)[0])
        rest = b"".join(whole for _, _, whole in rest)
        algorithm, attributes, self.method, self.signature, _ = shaped(rest, 0x30, 0xA0, 0x30, 4, [0xA1])
        self.hash = hash_of(algorithm)
        self.signed = next(b"1" + whole[1:] for tag, _, whole in elements(rest) if tag == 0xA0)
        named = [shaped(value, 6, 0x31) for _, value, _ in elements(attributes)]
        one = {name: [value for oid, value in named if oid == wanted] for name, wanted in OIDS.items()}
        need(all(len(one[name]) == 1 for name in ("content", "digest", "certificate")), "an attribute is missing")
        need(shaped(one["content"][0], 6) == [OIDS["statement"]], "signed as something else")
        need(shaped(one["digest"][0], 4) == [digest_of(self.hash, statement)], "signed over something else")
        first = shaped(shaped(one["certificate"][0], 0x30)[0], 0x30, more=True)[0]
        of, self.signer = shaped(shaped(first, 0x30, more=True)[0], [0x30], 4, more=True)
        self.signer_hash = hash_of(of) if of else hashes.SHA256
        tags = 2, 6, 0x30, 2, 0x18, [0x30], [1], [2], [0xA0], [0xA1]
        version, _, imprint, _, at, accuracy, _, _, _, extensions = shaped(shaped(statement, 0x30)[0], *tags)
        need(version == b"\1", "unknown version")
        algorithm, digest = shaped(imprint, 0x30, 4)
        need(shaped(algorithm, 6, more=True) == [SHA256_OID] and digest == sha256(content), "over other bytes")
        for _, extension, _ in elements(extensions or b""):
            need(shaped(extension, 6, [1], 4)[1] in (None, b"\0"), "it depends on something unknown")
        seconds, millis, micros = (int.from_bytes(part or b"", "big") for part in shaped(accuracy or b"", [2], [0x80], [0x81]))
        self.time = generalized(at)
        self.at = self.time + seconds * 1000 + millis + (micros > 0)

    def stated(self, timestampers):
        """The latest time it allows, if one of these states it."""
        pool = self.enclosed + [one.public_bytes(serialization.Encoding.DER) for one in timestampers]
        found = [one for one in pool if digest_of(self.signer_hash, one) == self.signer]
        if not found:
            raise Unnamed
        signer = certificate_of(found[0])
        try:
            self.verify(signer.public_key())
            usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except (InvalidSignature, ValueError, x509.ExtensionNotFound):
            raise Malformed("not signed as it must be") from None
        need(usage.critical and list(usage.value) == [x509.ExtendedKeyUsageOID.TIME_STAMPING], "not for stamping times")
        others = []
        for one in self.enclosed:
            try:
                others.append(x509.load_der_x509_certificate(one))
            except ValueError:
                pass
        when = datetime.datetime.fromtimestamp(self.at // 1000, datetime.UTC)
        if not any(leads(signer, named, others, when) for named in timestampers):
            raise Unnamed
        return self.at

    def verify(self, key):
        oid, parameters = elements(self.method)[0][1], self.method[len(elements(self.method)[0][2]) :]
        if oid == PSS:
            of = hash_of(shaped(shaped(parameters, 0x30)[0], 0xA0, more=True)[0][2:])
            scheme = padding.PSS(padding.MGF1(of()), of().digest_size), of()
            return key.verify(self.signature, self.signed, *scheme)
        if isinstance(key, Ed25519PublicKey):
            need(oid == bytes.fromhex("2b6570"), "another key")
            return key.verify(self.signature, self.signed)
        kind, of = (rsa.RSAPublicKey, self.hash) if oid == RSA else SIGNATURES.get(oid, (None, None))
        need(kind and isinstance(key, kind), "a signature that does not count")
        scheme = (padding.PKCS1v15(), of()) if kind is rsa.RSAPublicKey else (ec.ECDSA(of()),)
        return key.verify(self.signature, self.signed, *scheme)


def leads(certificate, named, others, when, steps=6):
    """Whether certificates that are valid then lead to the named one."""
    if not certificate.not_valid_before_utc <= when <= certificate.not_valid_after_utc or not steps:
        return False
    return certificate == named or any(
        issued(certificate, issuer) and (issuer == named or leads(issuer, named, others, when, steps - 1))
        for issuer in [named, *others]
    )


def issued(certificate, issuer):
    try:
        certificate.verify_directly_issued_by(issuer)
        return issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False


class Trust:
    def __init__(self, content):
        need(len(content) <= 2**20, "too large")
        optional = ["signers", "roots", "revoked", "ended", "revoked_logs", "accept", "require", "approvers", "timestampers"]
        value = members(parse(content), ["v", "version", "tenant", "policy"], optional)
        need(whole(value["v"]) == 1, "unknown version")
        self.version, self.tenant = whole(value["version"], 1), text(value["tenant"])
        need(self.tenant, "no tenant")
        self.policy = Policy(text(value["policy"]))
        origins = {key.name for key in self.policy.logs}
        self.signers = listed(value.get("signers", []), point)

        def ranged(value, optional):
            value = members(value, ["key", "log", "from"], optional)
            need(text(value["log"]) in origins, "a log that is not in the policy")
            until = whole(value["until"]) if "until" in value else None
            return point(value["key"]), value["log"], whole(value["from"]), until

        self.roots = listed(value.get("roots", []), lambda root: ranged(root, ["until"]))
        self.revoked = listed(value.get("revoked", []), lambda key: ranged(key, []))
        need(self.roots and len({root[:2] for root in self.roots}) == len(self.roots), "no roots, or one twice")

        def end(value):
            members(value, ["log", "size", "root"])
            need(text(value["log"]) in origins, "a log that is not in the policy")
            return value["log"], whole(value["size"], 1), unhex(value["root"])

        def taken_back(value):
            key = Key(text(members(value, ["key", "from"])["key"]))
            known = [one for one in self.policy.logs if (one.name, one.algorithm, one.key) == (key.name, key.algorithm, key.key)]
            need(known, "a key of a log that is not in the policy")
            return known[0], whole(value["from"])

        self.ended = listed(value.get("ended", []), end)
        need(len({head[0] for head in self.ended}) == len(self.ended), "a log ends twice")
        self.revoked_logs = listed(value.get("revoked_logs", []), taken_back)
        self.accept = set(listed(value.get("accept", []), text))
        need(self.accept and self.accept <= set(TYPES), "no types, or unknown ones")
        self.approvers = {}
        for approver in listed(value.get("approvers", []), lambda one: members(one, ["id", "key"])):
            need(isinstance(approver["id"], str) and isinstance(approver["key"], str), "no approver")
            self.approvers[approver["key"]] = approver["id"]
        self.timestampers = {}
        for one in listed(value.get("timestampers", []), lambda one: members(one, ["name", "certificate"])):
            need(text(one["name"]) and one["name"] not in self.timestampers, "no timestamper")
            self.timestampers[one["name"]] = certificate_of(unbase64(one["certificate"]))
        rules = ["log_algorithms", "witnesses", "tree_size", "skew_s", "anchored"]
        require = members(value.get("require", {}), [], rules)
        self.anchored = require.get("anchored", False)
        need(isinstance(self.anchored, bool), "`anchored` is true or false")
        algorithms = listed(require.get("log_algorithms", []), text)
        need(set(algorithms) <= {"ed25519", "ml-dsa-44"}, "unknown algorithm")
        self.algorithms = {{"ed25519": ED25519, "ml-dsa-44": ML_DSA_44}[name] for name in algorithms}
        self.witnesses = whole(require.get("witnesses", 0))
        self.tree_size = whole(require.get("tree_size", 2), 2)
        self.skew = whole(require.get("skew_s", 300), 0, 86401) * 1000
        self.fingerprint = sha256(content).hex()

    def succeed(self, content):
        envelope = Envelope(parse(content), TRUST_TYPE)
        keys = [key for key in self.signers if sha256(key).hex() == envelope.keyid]
        need(keys and envelope.signed_by(keys[0]), "not signed by a key of the document that is held")
        following = Trust(envelope.payload)
        need(following.tenant == self.tenant and following.version > self.version, "it does not follow")
        return following


def covers(root, log, index):
    _, of, start, until = root
    return of == log and index >= start and (until is None or index < until)


# Bundle (6) ------------------------------------------------------------------------------------------------------


class Claim:
    def __init__(self, value):
        members(value, ["envelope"], ["disclosures", "proof"])
        self.envelope = Envelope(value["envelope"])
        self.disclosures = listed(value.get("disclosures", []), text)
        self.note = self.statement = self.place = self.existed_by = self.anchor = None
        self.signed = self.quorum = False
        self.seen = set()
        if "proof" in value:
            self.read_proof(text(value["proof"]))

    def read_proof(self, proof):
        first = "c2sp.org/tlog-proof@v1\n"
        need(len(proof.encode()) <= 2**20 and proof.startswith(first) and "\n\n" in proof, "no proof")
        head, note = proof.removeprefix(first).split("\n\n", 1)
        lines = head.split("\n")
        if lines[0].startswith("extra "):
            extra = Envelope(parse(unbase64(lines.pop(0).removeprefix("extra "))))
            need(extra.same(self.envelope), "the proof of another record")
        need(lines and lines[0].startswith("index "), "no index")
        index = lines[0].removeprefix("index ")
        need(re.fullmatch("0|[1-9][0-9]{0,19}", index) and int(index) < 2**64, "no index")
        self.index = int(index)
        self.path = [unbase64(line, 32) for line in lines[1:]]
        need(len(self.path) <= 63, "path too long")
        self.note = Note(note)


class Bundle:
    def __init__(self, content):
        need(len(content) <= 16 * 2**20, "too large")
        value = members(parse(content), ["v"], ["claims", "attachments", "timestamps", "consistency", "hints"])
        need(whole(value["v"]) == 1, "unknown version")
        self.claims = listed(value.get("claims", []), Claim)
        need(1 <= len(self.claims) <= 4096, "1 to 4096 claims")
        need(len({claim.envelope.digest for claim in self.claims}) == len(self.claims), "a record stands twice")
        attachments = value.get("attachments", {})
        need(isinstance(attachments, dict), "no attachments")
        for name, content in attachments.items():
            need(sha256(unbase64(content)) == unhex(name), "an attachment is not what its name says")
        self.timestamps = listed(value.get("timestamps", []), self.timestamp)
        need(len(self.timestamps) <= 4096, "too many tokens")
        text(members(value.get("hints", {}), [], ["trust_url"]).get("trust_url", ""))
        self.consistency = listed(value.get("consistency", []), self.growth)
        need(len(self.consistency) <= 4096, "too many proofs of growth")

    @staticmethod
    def timestamp(value):
        members(value, ["checkpoint", "rfc3161"])
        return Note(text(value["checkpoint"])), value["checkpoint"].encode(), unbase64(value["rfc3161"])

    @staticmethod
    def growth(value):
        members(value, ["origin", "old", "new"], ["path"])
        path = listed(value.get("path", []), lambda step: unbase64(step, 32))
        need(len(path) <= 128, "path too long")
        old, new = (members(value[name], ["size", "root"]) for name in ("old", "new"))
        origin = text(value["origin"])
        head = lambda of: (origin, whole(of["size"], 0, 2**63), unbase64(of["root"], 32))
        return head(old), head(new), path


# The checks (7) --------------------------------------------------------------------------------------------------


def different(votes):
    """How many people these votes are of. Two of one person share a commitment, a key or a disclosed name."""
    seen, count = set(), 0
    for vote in votes:
        try:
            marks = {name.hex() for name in vote.statement.people()}
        except Malformed:
            continue
        key = vote.statement.at("assertion", "key")
        marks |= {key} if key is not None else set()
        for one in vote.disclosures:
            try:
                value = parse(unbase64url(one))
            except Malformed:
                continue
            if isinstance(value, list) and len(value) >= 3 and value[1] == "approver":
                marks.add(json.dumps(value[2], sort_keys=True))
        count += not marks & seen
        seen |= marks
    return count


class Court:
    def __init__(self, bundle, trust, memory):
        self.bundle, self.trust, self.memory, self.checks = bundle, trust, memory, []
        for at, claim in enumerate(bundle.claims):
            claim.at = at
            self.answer("statement", claim, self.statement)
            self.answer("checkpoint" if claim.note else "inclusion", claim, self.checkpoint)
        self.delegated = {}
        for claim in bundle.claims:
            self.delegation(claim)
        self.known = {claim.envelope.digest: claim for claim in bundle.claims}
        # What records say became of passkeys: which, whether it was added, and where.
        self.told = []
        for claim in bundle.claims:
            of = claim.statement
            if of and of.kind == "key" and of.at("event") in ADDS | TAKES:
                keys = [of.at("key")] if of.at("key") is not None else []
                self.told += [(key, of.at("event") in ADDS, claim.place) for key in keys + of.texts("keys")]
        of_kind = [claim.statement for claim in bundle.claims if claim.statement and claim.statement.kind == "execution"]
        self.receipts = Counter(digest for statement in of_kind for digest in statement.linked("decision"))
        for claim in bundle.claims:
            self.answer("signature", claim, self.signature)
            if claim.statement:
                self.answer("disclosures", claim, self.disclosures)
                self.answer("story", claim, self.story)
        self.doubles()
        self.stamped = [stamp for stamp in map(self.stamp, bundle.timestamps) if stamp]
        self.heads()
        for claim in bundle.claims:
            if claim.place and claim.statement:
                self.answer("time", claim, self.time)

    def say(self, step, claim, outcome, detail=""):
        self.checks.append({"check": step, "claim": claim and claim.at, "outcome": outcome, "detail": detail})

    def answer(self, step, claim, check):
        try:
            check(claim)
            self.say(step, claim, HOLDS)
        except Answer as answer:
            self.say(step, claim, *answer.args)
        except Malformed as error:
            self.say(step, claim, FAILS, str(error))

    def statement(self, claim):
        claim.statement = Statement(claim.envelope, self.trust)

    def opened(self, note):
        """The witnesses of a checkpoint that a known log has signed as it must, and their times."""
        trust, logs, seen, times = self.trust, [], set(), []
        known = trust.policy.logs + trust.policy.witnesses
        for name, identifier, blob in note.lines:
            for key in known:
                if (key.name, key.id) == (name, identifier):
                    time = key.verify(note, note.text, blob)
                    need(time is not None, f"the signature of {name} does not verify")
                    if key in trust.policy.logs:
                        logs += [key] if key.name == note.origin else []
                    else:
                        seen.add(key.key)
                        times += [time] if time else []
        if not logs:
            raise Answer(MISSING, "signed by no log that is known")
        need(not note.more, "lines that not every signature covers")
        for origin, size, root in trust.ended:
            if origin == note.origin and (note.size > size or note.size == size and note.root != root):
                raise Answer(DIVERGES, "not the tree with which this log has ended")
        revoked = [start for key, start in trust.revoked_logs if key in logs]
        need(all(note.size <= start for start in revoked), "signed by a key of the log that was taken back")
        note.revoked = bool(revoked)
        if not trust.algorithms <= {key.algorithm for key in logs}:
            raise Answer(MISSING, "not signed by all algorithms that are required")
        return seen, times

    def checkpoint(self, claim):
        if not claim.note:
            raise Answer(MISSING, "no proof that it was logged")
        trust = self.trust
        claim.seen, times = self.opened(claim.note)
        if claim.note.size < trust.tree_size:
            raise Answer(MISSING, "too small a tree")
        claim.existed_by = min(times) * 1000 if times else None
        claim.quorum = trust.policy.met(claim.seen) and len(claim.seen) >= trust.witnesses
        self.say("quorum", claim, HOLDS if claim.quorum else MISSING, f"{len(claim.seen)} of {len(trust.policy.witnesses)}")
        if claim.note.revoked and not (claim.quorum and claim.seen):
            raise Answer(MISSING, "its key was taken back later, and no witness has seen this before")
        if claim.statement:
            self.answer("inclusion", claim, self.inclusion)

    def inclusion(self, claim):
        envelope, note = claim.envelope, claim.note
        leaf = b"\1\0" + claim.statement.seq.to_bytes(8, "big") + envelope.digest
        leaf += unhex(envelope.keyid) + envelope.signature
        need(included(sha256(b"\0", leaf), claim.index, note.size, claim.path, note.root), "not in the tree")
        claim.place = (note.origin, claim.index)

    def roots(self, claim):
        return [root for root in self.trust.roots if sha256(root[0]).hex() == claim.envelope.keyid]

    def delegation(self, claim):
        statement, place = claim.statement, claim.place
        roots = [root for root in self.roots(claim) if place and covers(root, *place)]
        if not statement or not roots or not statement.is_delegation() or statement.writer != claim.envelope.keyid:
            return
        key = statement.delegate()
        if key and claim.envelope.signed_by(roots[0][0]):
            self.delegated.setdefault(sha256(key).hex(), []).append((key, place, roots[0]))

    def signature(self, claim):
        envelope, statement, roots = claim.envelope, claim.statement, self.roots(claim)
        delegated = self.delegated.get(envelope.keyid, [])
        if not roots and not delegated:
            raise Answer(MISSING, "signed by no known key")
        key = (roots or delegated)[0][0]
        need(envelope.signed_by(key), "the signature does not verify")
        claim.signed = True
        if statement:
            need(bool(roots) == statement.is_of_root(), "a root signs delegations and what becomes of the log, and nothing else")
            need(statement.writer == envelope.keyid, "the writer that is named did not sign")
            need(not statement.is_delegation() or statement.delegate(), "what is delegated is no key")
            self.answer("delegation", claim, lambda claim: self.counts(claim, roots, delegated, key))

    def counts(self, claim, roots, delegated, key):
        if not claim.place:
            raise Answer(MISSING, "no place is proven")
        log, index = claim.place
        if roots:
            need(any(covers(root, log, index) for root in roots), "the root does not count at this leaf")
            return
        revoked = any((of, at) == (key, log) and index >= start for of, at, start, _ in self.trust.revoked)
        need(not revoked, "the key was revoked before this leaf")
        here = [(place[1], root) for _, place, root in delegated if place[0] == log]
        if not here:
            raise Answer(MISSING, "the key is not delegated in this log")
        need(any(at < index and covers(root, log, index) for at, root in here), "the key does not count at this leaf")

    def disclosures(self, claim):
        digests = [sha256(shown.encode()) for shown in claim.disclosures]
        need(len(set(digests)) == len(digests), "a value is shown twice")
        for shown, digest in zip(claim.disclosures, digests):
            need(digest in claim.statement.committed, "a value that was not signed")
            need(re.fullmatch("[A-Za-z0-9_-]+", shown), "no base64url")
            value = parse(base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4)))
            need(isinstance(value, list) and len(value) == 3, "no salt, name and value")
            need(isinstance(value[0], str) and isinstance(value[1], str), "no salt, name and value")

    def story(self, claim):
        statement = claim.statement
        if statement.kind == "execution":
            twice = any(self.receipts[digest] > 1 for digest in statement.linked("decision"))
            need(not twice, "two receipts for one decision")
            decision = self.decision(claim)
            need(decision.at("verdict") == "allow", "a receipt for a call that was not admitted")
            need(statement.at("intent") == decision.id, "the receipt of another decision")
            need(statement.at("result", "state") is not None, "no result")
        elif statement.kind == "approval":
            asked, rule = self.decision(claim), statement.at("rule")
            if asked.kind == "grant":
                need(asked.at("event") in ("requested", "narrowed"), "it was not asked")
            else:
                need(asked.at("verdict") == "ask", "it was not asked")
            if statement.at("choice") in ("ask_back", "escalate", "narrow"):
                return self.assurance(claim)
            need(rule is not None and statement.at("choice") in ("approve", "deny"), "no vote")
            need(rule in asked.texts("asks") or rule == asked.at("rule"), "it was not asked")
            need(asked.rule(rule), "how many people the rule takes is not said")
            need(statement.at("statement", "definition") == asked.rule(rule)[0], "under another definition of the rule")
            statement.people()
            self.assurance(claim)
        elif statement.kind == "decision" and statement.at("verdict") == "allow":
            self.admission(claim)
        elif statement.kind == "key" and statement.at("event") in ("log_ended", "log_begun"):
            self.succession(claim, statement.at("event") == "log_ended")

    def succession(self, claim, ends):
        """One log after the other: each of the two records names the other log."""
        statement = claim.statement
        if not claim.place:
            raise Answer(MISSING, "no place is proven")
        (log, index), heads = claim.place, [other.note.head for other in self.bundle.claims if other.place]
        heads += list(self.memory) + self.trust.ended
        need(statement.at("log") == log and (ends or index == 0), "it is about another log, or not its first leaf")
        if ends:
            if any(head[0] == log and head[1] > index + 1 for head in heads):
                raise Answer(DIVERGES, "the log went on behind its end")
            return
        previous = members_any(statement.value("previous"))
        end = text(previous.get("log")), whole(previous.get("size")), unhex(previous.get("root"))
        if any(head[0] == end[0] and (head[1] > end[1] or head[1] == end[1] and head != end) for head in heads):
            raise Answer(DIVERGES, "the log before it has another end")
        linked = statement.linked("ended")
        need(len(linked) == 1, "not one end of the log before it")
        last = self.known.get(linked[0])
        if not last or not last.place or not last.statement:
            raise Answer(MISSING, "the end of the log before it is not proven in the bundle")
        following = members_any(last.statement.value("next"))
        stands = last.place == (end[0], end[1] - 1) and last.statement.at("event") == "log_ended"
        need(stands and following.get("log") == log, "not the end of the log before it, or it names another log")
        for names, origin in ((following.get("keys"), log), (previous.get("keys"), end[0])):
            known = [key.line for key in self.trust.policy.logs if key.name == origin]
            need(known and isinstance(names, list) and set(known) <= {name for name in names if isinstance(name, str)}, "other keys")

    def assurance(self, claim):
        """What stands behind a vote: a login, or a passkey that signed what it covers."""
        record, covered = claim.statement, claim.statement.value("statement")
        shown = {}
        for one in claim.disclosures:
            decoded = unbase64url(one)
            salt, name, value = parse(decoded)
            shown[name] = value, decoded
        if covered is not None:
            members(covered, COVERED, ["bounds", "principal", "arguments"])
            need(all(isinstance(value, str) for value in covered.values()), "what the vote covers is no texts")
            need(covered["_type"] == STATEMENT_TYPE, "what the vote covers is of another type")
            for name in ("tenant", "question", "rule", "choice", "expires"):
                need(covered[name] == record.at(name), f"the vote covers another {name}")
            need(unhex(covered["action"]) == record.action, "the vote covers another call")
            need(covered.get("bounds") == record.at("bounds"), "the vote covers other bounds")
            for name in ("definition", "shown", "approver", "reason"):
                unhex(covered[name])
            narrows = record.at("choice") == "narrow"
            for name, said in (("principal", record.value("in_place") is True), ("arguments", narrows)):
                need((name in covered) == said, f"the vote covers a {name}, or does not, otherwise than its record")
                if said:
                    unhex(covered[name])
            if "shown" in shown:
                sight = shown["shown"][1].split(b',"shown",', 1)[1][:-1]
                need(sha256(sight).hex() == covered["shown"], "what was shown is not what the vote covers")
            nonce = shown.get("statement_nonce", (None,))[0]
            for name in ("approver", "reason", "principal", "arguments"):
                value = shown.get(name, (None,))[0]
                if name == "arguments" and name in shown:
                    value = shown[name][1].split(b',"arguments",', 1)[1][:-1].decode()
                if name in covered and isinstance(nonce, str) and isinstance(value, str):
                    commitment = sha256(f"{nonce}\0{name}\0{value}".encode()).hex()
                    need(commitment == covered[name], f"another {name} than the vote covers")
        assertion, said = record.value("assertion"), record.at("assurance")
        if said == "operator_attested" and assertion is None:
            return
        need(said == "passkey" and covered is not None, "neither attested nor signed")
        key = answered(assertion, covered)
        told = [(at, added) for of, added, at in self.told if of == key]
        log, index = claim.place or (None, None)
        here = [(at[1], added) for at, added in told if at and at[0] == log]
        before = [(at, added) for at, added in here if at < index]
        need(not before or max(before)[1], "the passkey was taken away before")
        if key in self.trust.approvers:
            approver = shown.get("approver", (self.trust.approvers[key],))[0]
            need(approver == self.trust.approvers[key], "the passkey is another person's")
        elif not before and not any(added and (not at or at[0] != log) for at, added in told):
            raise Answer(MISSING, "signed by a passkey that nobody here knew at that time")

    def decision(self, claim):
        statement, linked = claim.statement, claim.statement.linked("decision")
        need(len(linked) == 1, "not one decision")
        found = self.known.get(linked[0])
        if not found or not found.statement:
            raise Answer(MISSING, "the decision is not in the bundle")
        asked_for = statement.kind == "approval" and found.statement.kind == "grant"
        need(found.statement.kind == "decision" or asked_for, "no decision")
        need(statement.action and statement.action == found.statement.action, "about another call than its decision")
        need(found.statement.run == statement.run, "no decision of this run")
        if claim.place and found.place and claim.place[0] == found.place[0]:
            need(claim.place[1] > found.place[1], "logged before its decision")
        need(statement.time + self.trust.skew >= found.statement.time, "written before its decision")
        return found.statement

    def admission(self, claim):
        """Enough different people for each rule, counted by what stands in clear, and by what is disclosed."""
        statement, skew, rules = claim.statement, self.trust.skew, claim.statement.texts("approvals")
        if not rules:
            return
        votes = [self.known.get(digest) for digest in statement.linked("approval")]
        if not all(vote and vote.statement for vote in votes):
            raise Answer(MISSING, "an approval is not in the bundle")
        need(all(self.is_for(vote.statement, statement) for vote in votes), "an approval of another call")
        need(votes, "it rests on approvals and refers to none")

        def of(vote, name, rule, choice):
            said = vote.statement
            compared = vote.place and claim.place and vote.place[0] == claim.place[0]
            earlier = not compared or vote.place[1] < claim.place[1]
            under = said.at("rule") == name and said.at("statement", "definition") == rule[0]
            return earlier and under and said.at("choice") == choice

        def in_time(vote):
            try:
                expires = instant(vote.statement.at("expires"))
            except Malformed:
                return False
            return statement.time <= expires + skew and vote.statement.time <= statement.time + skew

        for name in rules:
            rule = statement.rule(name)
            need(rule, "how many people the rule takes is not said")
            yes = [vote for vote in votes if of(vote, name, rule, "approve") and in_time(vote)]
            need(different(yes) >= rule[1], f"too few people under {name}")
            questions = {vote.statement.at("question") for vote in votes}
            every = [one for one in self.bundle.claims if one.statement and self.is_for(one.statement, statement)]
            no = [vote for vote in every if of(vote, name, rule, "deny") and vote.statement.at("question") in questions]
            need(different(no) < rule[2], f"denied under {name}")

    def is_for(self, vote, statement):
        """A vote for a run counts in its own run only."""
        within = "bounds" not in vote.body or vote.run == statement.run
        return vote.kind == "approval" and vote.action is not None and vote.action == statement.action and within

    def time(self, claim):
        seen = claim.statement.seen
        if claim.place and seen and seen[0] == claim.place[0]:
            need(seen[1] <= claim.place[1], "its writer had seen a tree that holds it")
        for seen in (claim.existed_by, claim.anchor):
            need(seen is None or claim.statement.time <= seen + self.trust.skew, "written after somebody saw it")

    def stamp(self, timestamp):
        """The head that a named timestamper has seen, and when; None of a token that counts for nothing."""
        note, content, token = timestamp
        try:
            self.opened(note)
            return note.head, Token(token, content).stated(self.trust.timestampers.values())
        except Answer as answer:
            self.say("anchor", None, *answer.args)
        except Malformed as error:
            self.say("anchor", None, FAILS, str(error))
        except Unnamed:
            return None

    def doubles(self):
        statements = [claim.statement for claim in self.bundle.claims if claim.statement]
        ids = [statement.id for statement in statements]
        places = [(statement.writer, statement.seq) for statement in statements if not statement.is_of_root()]
        if len(set(ids)) < len(ids) or len(set(places)) < len(places):
            self.say("story", None, FAILS, "two records with one id, or at one place of a sequence")
        votes = [statement.value("statement") for statement in statements if statement.kind == "approval"]
        votes = [canonical(vote) for vote in votes if vote is not None]
        if len(set(votes)) < len(votes):
            self.say("story", None, FAILS, "two records of one vote")

    def heads(self):
        stated = {claim.note.head for claim in self.bundle.claims if claim.note} | set(self.memory)
        stated |= {note.head for note, _, _ in self.bundle.timestamps}
        steps = []
        for old, new, path in self.bundle.consistency:
            if consistent(old[1], old[2], new[1], new[2], path) and (old in stated or new in stated):
                steps.append((old, new))
            else:
                self.say("consistency", None, FAILS, "a proof of growth that does not hold")
        seen = sorted(set(self.memory))
        steps += [(old, new) for old, new in zip(seen, seen[1:]) if old[0] == new[0] and old[1] < new[1]]

        def above(head):
            found, before = {head}, 0
            while len(found) > before:
                before = len(found)
                found |= {new for old, new in steps if old in found}
            return found

        heads = {claim.note.head for claim in self.bundle.claims if claim.place}
        heads = sorted(heads | {head for head, _ in self.stamped})
        for claim in self.bundle.claims:
            head = claim.statement and claim.statement.seen
            roots = {one[2] for one in [*heads, *self.memory] if head and one[:2] == head[:2]}
            if roots:
                self.say("consistency", claim, HOLDS if roots == {head[2]} else DIVERGES, "what its writer had seen")
        for a, b in zip(heads, heads[1:]):
            if a[0] == b[0]:
                joined = HOLDS if above(a) & above(b) else MISSING
                self.say("consistency", None, DIVERGES if a[1] == b[1] else joined)
        for head in heads if seen else []:
            kept = [one for one in seen if one[0] == head[0]]
            if any(one[1] == head[1] and one[2] != head[2] for one in kept):
                outcome = DIVERGES
            elif not kept or head in kept or above(kept[-1]) & above(head):
                outcome = HOLDS
            else:
                outcome = DIVERGES if head[1] < kept[-1][1] else MISSING
            self.say("history", None, outcome, f"ask for a bundle with `--since {kept[-1][1]}`" if outcome == MISSING else "")
        for claim in self.bundle.claims:
            own = claim.note.head if claim.place else None
            over = [at for head, at in self.stamped if own and head[1] > claim.index and above(head) & above(own)]
            claim.anchor = min(over, default=None)
            if claim.place and (over or self.trust.anchored):
                self.say("anchor", claim, HOLDS if over else MISSING)


def judge(content, trust, memory):
    try:
        bundle = Bundle(content)
    except Malformed as error:
        return "INVALID", 1, [{"check": "form", "claim": None, "outcome": FAILS, "detail": str(error)}], []
    court = Court(bundle, trust, memory)
    checks = sorted(court.checks, key=lambda check: STEPS.index(check["check"]))
    worst = next(outcome for outcome in VERDICTS if outcome == HOLDS or any(c["outcome"] == outcome for c in checks))
    levels = []
    for claim in bundle.claims:
        level = "signed" if not claim.place else "logged"
        if claim.place and claim.quorum and claim.seen:
            level = f"witnessed {len(claim.seen)} of {len(trust.policy.witnesses)}"
        anchored = ", time anchored" if claim.anchor is not None else ""
        levels.append(level + anchored if claim.signed else "nothing")
    return *VERDICTS[worst], checks, levels


def remembered(folder, trust):
    """The heads of a state, whose trust document must not be newer than this one."""
    path = Path(folder) / "trust"
    if path.exists():
        version, fingerprint, tenant = path.read_text().splitlines()[0].split(" ", 2)
        need(tenant == trust.tenant and trust.version >= int(version), "a newer trust document was used before")
        need(trust.version > int(version) or fingerprint == trust.fingerprint, "another trust document of this version")
    path = Path(folder) / "heads"
    lines = [line.split(" ", 2) for line in path.read_text().splitlines()] if path.exists() else []
    return [(origin, int(size), unbase64(root, 32)) for size, root, origin in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--trust", required=True)
    parser.add_argument("--next", action="append", default=[])
    parser.add_argument("--fingerprint")
    parser.add_argument("--state")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        trust = Trust(Path(options.trust).read_bytes())
        need(options.fingerprint in (None, trust.fingerprint), f"its fingerprint is {trust.fingerprint}")
        for path in options.next:
            trust = trust.succeed(Path(path).read_bytes())
        memory = remembered(options.state, trust) if options.state else []
        content = Path(options.bundle).read_bytes()
    except (OSError, ValueError, Malformed) as error:
        print(f"remit_verify: {error}", file=sys.stderr)
        return 2
    verdict, code, checks, levels = judge(content, trust, memory)
    if options.json:
        print(json.dumps({"verdict": verdict, "checks": checks, "claims": [{"level": level} for level in levels]}))
    else:
        for check in checks:
            where = "bundle" if check["claim"] is None else f"claim {check['claim']}"
            print(f"{check['outcome']:<8} {check['check']:<11} {where:<9} {ascii(check['detail'])[1:-1]}")
        for at, level in enumerate(levels):
            print(f"claim {at}: {level}")
        print(verdict)
    return code


if __name__ == "__main__":
    sys.exit(main())
