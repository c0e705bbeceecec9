"""cryptography (OpenSSL): the ML-DSA-44 signature of the log, over a message built here from the specification."""

import base64
import hashlib

from checks import accepts, done, fixture, flip, log, refuses
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

name, identifier, encoded = (fixture / "log-ml-dsa.vkey").read_text().split("+", 2)
material = base64.b64decode(encoded, validate=True)
public = MLDSA44PublicKey.from_public_bytes(material[1:])


def short(text):
    return bytes([len(text)]) + text.encode()


def signed(note, end=None, time=None):
    body, lines = note.rsplit("\n\n", 1)
    origin, size, root = body.split("\n")
    for line in lines.splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob, validate=True)
        if signer == name and blob[:4].hex() == identifier:
            stated, signature = int.from_bytes(blob[4:12]), blob[12:]
            message = b"subtree/v1\n\0" + short(name) + (stated if time is None else time).to_bytes(8) + short(origin)
            message += (0).to_bytes(8) + (int(size) if end is None else end).to_bytes(8) + base64.b64decode(root)
            return signature, message
    raise LookupError("no line of this key")


def verify(signature, message):
    public.verify(signature, message)


accepts("id_of_the_key", lambda: hashlib.sha256(name.encode() + b"\n" + material).digest()[:4].hex() == identifier)
for file in ["checkpoint", "checkpoint.300"]:
    signature, message = signed((log / file).read_text())
    accepts(f"signature_of_{file}", lambda: verify(signature, message))
    refuses(f"another_root_in_{file}", lambda: verify(signature, flip(message, -1)), InvalidSignature)
    refuses(f"another_signature_in_{file}", lambda: verify(flip(signature, 1000), message), InvalidSignature)
note = (log / "checkpoint").read_text()
refuses("another_size", lambda: verify(*signed(note, end=601)), InvalidSignature)
refuses("another_time", lambda: verify(*signed(note, time=0)), InvalidSignature)
done()
