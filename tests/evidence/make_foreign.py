"""Writes the log in crates/remit-evidence/tests/foreign: tree and tiles by aics-tlog, ML-DSA by OpenSSL.

    .cache/venv-evidence/bin/python tests/evidence/make_foreign.py FOLDER

It is kept in the repository, so that our verifier is held to what others write without installing them.
"""

import base64
import hashlib
import sys
from pathlib import Path

from aics_tlog import Checkpoint, MerkleTree, Note, SignatureLine, TileWriter, cosignature_vkey, format_vkey
from aics_tlog import leaf_hash, sign_cosignature, sign_note, vkey_from_ed25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

ORIGIN = "foreign.example/log"
TIME = 1_795_000_000
OLD, SIZE, INDEX = 200, 300, 270

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
log_key = Ed25519PrivateKey.from_private_bytes(b"\x11" * 32)
quantum = {name: MLDSA44PrivateKey.from_seed_bytes(seed * 32) for name, seed in [(ORIGIN, b"\x12"), ("w.example/q", b"\x13")]}
witness = Ed25519PrivateKey.from_private_bytes(b"\x14" * 32)
entries = [b"entry %d" % at for at in range(SIZE)]
tree = MerkleTree(entries)


def short(text):
    return bytes([len(text)]) + text.encode()


def material(name):
    return b"\x06" + quantum[name].public_key().public_bytes_raw()


def identifier(name):
    return hashlib.sha256(name.encode() + b"\n" + material(name)).digest()[:4]


def quantum_line(name, size, root, time):
    message = b"subtree/v1\n\0" + short(name) + time.to_bytes(8, "big") + short(ORIGIN)
    message += (0).to_bytes(8, "big") + size.to_bytes(8, "big") + root
    return SignatureLine(name, identifier(name), time.to_bytes(8, "big") + quantum[name].sign(message))


def quantum_vkey(name):
    return f"{name}+{identifier(name).hex()}+{base64.b64encode(material(name)).decode()}"


def checkpoint(size):
    root = tree.root(size)
    text = Checkpoint(ORIGIN, size, root).text()
    lines = [sign_note(text, log_key, ORIGIN), quantum_line(ORIGIN, size, root, 0)]
    lines += [sign_cosignature(witness, "w.example/e", TIME, ORIGIN, size, root)[1]]
    lines += [quantum_line("w.example/q", size, root, TIME + 1)]
    return Note(text, tuple(lines)).serialise()


TileWriter(entries).write_to(out)
(out / "checkpoint").write_text(checkpoint(SIZE))
(out / f"checkpoint.{OLD}").write_text(checkpoint(OLD))
path = [base64.b64encode(step).decode() for step in tree.inclusion_proof(INDEX, SIZE)]
extra = base64.b64encode(entries[INDEX]).decode()
head = ["c2sp.org/tlog-proof@v1", f"extra {extra}", f"index {INDEX}", *path]
(out / "entry.tlog-proof").write_text("\n".join(head) + "\n\n" + checkpoint(SIZE))
(out / "consistency").write_text("".join(base64.b64encode(step).decode() + "\n" for step in tree.consistency_proof(OLD, SIZE)))
vkey = format_vkey(vkey_from_ed25519(ORIGIN, log_key.public_key()))
policy = [f"log {vkey}", f"log {quantum_vkey(ORIGIN)}", f"witness e {format_vkey(cosignature_vkey('w.example/e', witness.public_key()))}"]
policy += [f"witness q {quantum_vkey('w.example/q')}", "group both all e q", "quorum both"]
(out / "policy").write_text("\n".join(policy) + "\n")
