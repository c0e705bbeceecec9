"""scitt-cose: the COSE receipt (RFC 9942) of a leaf."""

import base64

import cbor2
from checks import accepts, done, fixture, flip, refuses
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scitt_cose.receipt import verify_receipt

material = base64.b64decode((fixture / "log.vkey").read_text().split("+", 2)[2], validate=True)
receipt, leaf = (fixture / "receipt.cose").read_bytes(), (fixture / "leaf").read_bytes()


def pem(raw):
    return Ed25519PublicKey.from_public_bytes(raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def verify(message=receipt, entry=leaf, key=material[1:]):
    result = verify_receipt(message, leaf_entry_hex=entry.hex(), log_public_key_pem=pem(key))
    return not result.errors and result.ok


accepts("receipt", verify)
refuses("receipt_of_another_leaf", lambda: verify(entry=flip(leaf, 30)), ())
refuses("receipt_of_another_log", lambda: verify(key=(fixture / "writer.pub").read_bytes()), ())


def parts(message):
    """Everything a receipt says, the size of the tree apart."""
    protected, unprotected, payload, signature = cbor2.loads(message).value
    size, index, path = cbor2.loads(unprotected[396][-1][0])
    return protected, payload, signature, index, path


# RFC 9942 signs the root alone. Another size with a way of the same shape is not noticed; all else is.
accepted = [changed for at in range(len(receipt)) if verify(changed := flip(receipt, at))]
accepts("no_changed_byte_verifies_but_in_the_size", lambda: all(parts(changed) == parts(receipt) for changed in accepted))
# What was written is what a deterministic encoder of somebody else writes.
accepts("deterministic_encoding", lambda: cbor2.dumps(cbor2.loads(receipt), canonical=True) == receipt)
done()
