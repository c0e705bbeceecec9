"""securesystemslib: the DSSE envelopes of all records, and the one a proof carries."""

import base64
import hashlib
import json

from checks import accepts, done, fixture, flip, refuses
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

public = (fixture / "writer.pub").read_bytes()
key = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(public), keyid=hashlib.sha256(public).hexdigest())
records = (fixture / "records.jsonl").read_text().splitlines()


def verify(text, change=lambda envelope: None):
    envelope = Envelope.from_dict(json.loads(text))
    change(envelope)
    envelope.verify([key], threshold=1)
    return envelope


def payload(envelope):
    envelope.payload = flip(envelope.payload, 5)


def kind(envelope):
    envelope.payload_type = "application/json"


def signature(envelope):
    for one in envelope.signatures.values():
        one.signature = flip(bytes.fromhex(one.signature), 40).hex()


accepts("all_600_envelopes", lambda: len([verify(text) for text in records]) == 600)
for name, change in {"payload": payload, "payload_type": kind, "signature": signature}.items():
    refuses(f"envelope_with_another_{name}", lambda: verify(records[0], change), VerificationError)

carried = (fixture / "record.tlog-proof").read_text().split("\n")[1].removeprefix("extra ")
carried = base64.b64decode(carried, validate=True).decode()
accepts("envelope_of_the_proof", lambda: verify(carried).payload == verify(records[300]).payload)

# The leaf is the commitment written down: version, flags, place, record, key, signature.
envelope = verify(records[300])
parts = [b"\1\0", (300).to_bytes(8), hashlib.sha256(envelope.pae()).digest(), hashlib.sha256(public).digest()]
parts += [bytes.fromhex(one.signature) for one in envelope.signatures.values()]
accepts("leaf_of_the_record", lambda: b"".join(parts) == (fixture / "leaf").read_bytes())
done()
