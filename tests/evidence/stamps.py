"""Tokens of time: what a gateway of ours kept, and what OpenSSL made for our tests, judged by `openssl ts`, by rfc3161-client
(of the sigstore project), and by our verifier in Python."""

import subprocess
import sys
from pathlib import Path

from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from checks import accepts, done, fixture, flip, refuses

root = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(root / "verifiers/python"))
import remit_verify  # noqa: E402

# Its CMS knows no PSS, and it wants certificates in the order of DER where OpenSSL writes them as they come.
BEYOND = {("sigstore", "pss1"), ("sigstore", "big1")}
made = root / "crates/remit-evidence/tests/stamps"


def der(tag, content):
    size = len(content)
    wide = bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + wide + content


def sigstore(token, content, certificate):
    """It reads answers only, so the token is put into one that says `granted`."""
    answer = decode_timestamp_response(der(0x30, der(0x30, der(2, b"\0")) + token))
    return VerifierBuilder().add_root_certificate(certificate).build().verify_message(answer, content)


def ours(token, content, certificate):
    return remit_verify.Token(token, content).stated([certificate]) > 0


def openssl(token, content, certificate):
    # Only what stands in the folder: the gateway's own token, over the checkpoint as it was published.
    (fixture / "judged").write_bytes(token)
    (fixture / "over").write_bytes(content)
    words = "ts -verify -data over -in judged -token_in -CAfile ca.pem".split()
    return subprocess.run(["openssl", *words], cwd=fixture, capture_output=True, timeout=60).returncode == 0


token, checkpoint = (fixture / "token").read_bytes(), (fixture / "checkpoint").read_bytes()
issuer = x509.load_pem_x509_certificate((fixture / "ca.pem").read_bytes())
stranger = x509.load_der_x509_certificate((made / "other.der").read_bytes())
refused = (VerificationError, ValueError, remit_verify.Malformed, remit_verify.Unnamed)
for name, judge in {"openssl": openssl, "sigstore": sigstore, "python": ours}.items():
    accepts(f"{name}_kept", lambda: judge(token, checkpoint, issuer))
    refuses(f"{name}_other_bytes", lambda: judge(token, checkpoint + b"x", issuer), refused)
    refuses(f"{name}_changed", lambda: judge(flip(token, len(token) - 5), checkpoint, issuer), refused)
for name, judge in {"sigstore": sigstore, "python": ours}.items():
    refuses(f"{name}_of_a_stranger", lambda: judge(token, checkpoint, stranger), refused)
    named = x509.load_der_x509_certificate((made / "root1.der").read_bytes())
    content = (made / "stamped.txt").read_bytes()
    for path in sorted(made.glob("*.token")):
        if (name, path.stem) not in BEYOND:
            accepts(f"{name}_{path.stem}", lambda: judge(path.read_bytes(), content, named))
done()
