"""moto: a gateway of ours seals into its object store; aics-tlog audits what is in there, read with plain HTTP."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

from aics_tlog import MemoryTileReader, TileMissingError, TileVerificationError, audit_tiles, parse_note, parse_vkey
from aics_tlog import verify_checkpoint
from checks import accepts, done, flip, refuses

root, test = sys.argv[2], sys.argv[3:]
place = tempfile.TemporaryDirectory()
policy = Path(place.name) / "policy"
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
endpoint = f"http://127.0.0.1:{port}"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ANYBODY = "AWS4-HMAC-SHA256 Credential=anybody/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


def ask(method, path, content=None, **headers):
    """Status, headers and content. This object store asks who we are, and does not look at the answer."""
    headers = {"Authorization": ANYBODY, "Content-Type": "application/octet-stream", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(f"{endpoint}/{path}", content, headers, method=method)
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def names(prefix):
    found, token = [], None
    while True:
        query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
        tree = ElementTree.fromstring(ask("GET", f"remit-test?{urllib.parse.urlencode(query)}")[2])
        space = tree.tag.partition("}")[0] + "}" if tree.tag.startswith("{") else ""
        found += [key.text for key in tree.iter(f"{space}Key")]
        token = tree.findtext(f"{space}NextContinuationToken")
        if not token:
            return found


def play():
    accepts("bucket_is_made", lambda: ask("PUT", "remit-test")[0] == 200)
    # What this rests on: the object store itself refuses to create what is there.
    once = [ask("PUT", "remit-test/probe", content, If_None_Match="*")[0] for content in [b"a", b"b"]]
    accepts("it_creates_an_object_once", lambda: once == [200, 412] and ask("GET", "remit-test/probe")[2] == b"a")

    environment = {
        **os.environ,
        "REMIT_TEST_S3": endpoint,
        "REMIT_TEST_S3_POLICY": str(policy),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "not-to-be-told",
        "NO_PROXY": "127.0.0.1",
    }
    ran = subprocess.run([*test, "--", "--nocapture"], cwd=root, env=environment, capture_output=True, text=True)
    told = ran.stdout + ran.stderr
    print(told if ran.returncode else "", end="")
    accepts("a_gateway_seals_into_it", lambda: ran.returncode == 0 and "skipped" not in told)
    accepts("nobody_tells_the_secret", lambda: "not-to-be-told" not in told)

    objects = {name.removeprefix("gateway/"): ask("GET", f"remit-test/{name}") for name in names("gateway/")}
    files = {name: content for name, (_, _, content) in objects.items()}
    shown = {name: (headers["Content-Type"], headers["Cache-Control"]) for name, (_, headers, _) in objects.items()}
    head = shown.pop("checkpoint", None)
    accepts("the_checkpoint_is_kept_for_a_second", lambda: head == ("text/plain; charset=utf-8", "public, max-age=1"))
    for_ever = ("application/octet-stream", "public, max-age=31536000, immutable")
    accepts("tiles_are_kept_for_ever", lambda: len(shown) > 5 and set(shown.values()) == {for_ever})

    ed25519 = re.search(r"^log (\S+\+[0-9a-f]{8}\+AQ?[^\n]*)$", policy.read_text(), re.M)[1]
    opened = verify_checkpoint(parse_note(files["checkpoint"]), parse_vkey(ed25519), [], quorum=0)
    accepts("the_checkpoint_is_the_logs", lambda: opened.ok and opened.log_ok and opened.size > 320)
    size, top = opened.size, opened.root
    reader = MemoryTileReader(files)
    accepts("audit", lambda: audit_tiles(reader, size, top).bundles == 2)
    accepts("partials_of_full_tiles_are_gone", lambda: not any(".p/" in name and "/000.p/" in name and "/1/" not in name for name in files))
    part = size - 256
    for name in ["tile/0/000", "tile/entries/000", f"tile/0/001.p/{part}", f"tile/entries/001.p/{part}"]:
        changed = MemoryTileReader({**files, name: flip(files[name], 21)})
        refuses(f"audit_with_a_bit_changed_in_{name}", lambda: audit_tiles(changed, size, top), (TileVerificationError, ValueError))
        lost = MemoryTileReader({path: content for path, content in files.items() if path != name})
        refuses(f"audit_without_{name}", lambda: audit_tiles(lost, size, top), (TileMissingError, TileVerificationError))


server = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
process = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    play()
finally:
    process.terminate()
    process.wait()
done()
