"""aics-witness: our client before their witness, and their client before ours, with the same log and its forks."""

import base64
import hashlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from aics_tlog import FileSystemTileReader, MerkleTree, parse_note, parse_vkey, read_entry, verify_checkpoint
from aics_witness import WitnessAhead, WitnessClient, WitnessRejected
from checks import accepts, done, fixture, log, refuses
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

remit, ask = sys.argv[2:4]
place = tempfile.TemporaryDirectory()
work = Path(place.name)
vkey = (fixture / "log.vkey").read_text()
origin = vkey.split("+")[0]
# The seed from which the fixture makes the log's key.
private = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)


def tree(entries):
    made = MerkleTree()
    for entry in entries:
        made.append(entry)
    return made


reader = FileSystemTileReader(log)
entries = [read_entry(reader, at, 600) for at in range(600)]
real = tree(entries + [b"more %d" % at for at in range(300)])
twin = tree([b"other" if at == 17 else entry for at, entry in enumerate(entries)] + [b"more %d" % at for at in range(300)])


def signed(history, size):
    text = f"{origin}\n{size}\n{base64.b64encode(history.root(size)).decode()}\n"
    blob = bytes.fromhex(vkey.split("+")[1]) + private.sign(text.encode())
    return f"{text}\n\u2014 {origin} {base64.b64encode(blob).decode()}\n"


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def serving(command, at):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", at), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise TimeoutError(f"{command[0]} does not listen")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def cosigned(note, lines, key):
    """Both the log's and the witness's signature, by their library."""
    opened = verify_checkpoint(parse_note((note + lines).encode()), parse_vkey(vkey), [parse_vkey(key)], quorum=1)
    return opened.ok and opened.log_ok and opened.cosignature_count == 1


def theirs():
    at, config = port(), work / "witness.json"
    program = [sys.executable, "-m", "aics_witness"]
    shown = run(*program, "init", "-c", config, "--name", "witness.example/theirs", "--listen", f"127.0.0.1:{at}")
    key = next(word for word in shown.split() if word.startswith("witness.example/theirs+"))
    run(*program, "add-log", "-c", config, "--origin", origin, "--vkey", vkey)
    return serving([*program, "serve", "-c", config], at), f"http://127.0.0.1:{at}", key


def ours():
    at, folder = port(), work / "ours"
    key = run(remit, "witness", "init", "--dir", folder, "--name", "witness.example/ours", "--ml-dsa").split("\n")[0]
    run(remit, "witness", "trust", "--dir", folder, vkey, (fixture / "log-ml-dsa.vkey").read_text())
    command = [remit, "witness", "serve", "--dir", folder, "--listen", f"127.0.0.1:{at}"]
    return serving(command, at), f"http://127.0.0.1:{at}", key


def our_client_before_theirs(url, key):
    def asked(old, history, size):
        file = work / "note"
        file.write_text(signed(history, size))
        proof = history.consistency_proof(old, size) if 0 < old < size else []
        return run(ask, url, key, "add", str(old), file, *[base64.b64encode(step).decode() for step in proof])

    def grows(old, size):
        return cosigned(signed(real, size), asked(old, real, size).removeprefix("answered\n"), key)

    def shown():
        word, note = run(ask, url, key, "latest", origin).split("\n", 1)
        return word == "answered" and parse_note(note.encode()).text == signed(real, 600).split("\n\n")[0] + "\n"

    accepts("theirs_knows_nothing_yet", lambda: run(ask, url, key, "latest", origin) == "answered\nnone\n")
    accepts("theirs_cosigns_the_first", lambda: grows(0, 300))
    accepts("theirs_cosigns_the_next", lambda: grows(300, 600))
    accepts("theirs_cosigns_the_same_again", lambda: grows(600, 600))
    accepts("theirs_refuses_a_fork_of_the_same_size", lambda: asked(600, twin, 600).startswith("inconsistent "))
    accepts("theirs_refuses_a_larger_fork", lambda: asked(600, twin, 900).startswith("inconsistent "))
    accepts("theirs_refuses_a_rollback", lambda: asked(0, real, 300) == "seen 600\n")
    accepts("theirs_shows_what_it_cosigned", shown)


def their_client_before_ours(url, key):
    client = WitnessClient(url, key)

    def grows(size):
        return cosigned(signed(real, size), client.submit(signed(real, size), real.consistency_proof), key)

    def status(body):
        request = urllib.request.Request(f"{url}/add-checkpoint", body.encode())
        try:
            return urllib.request.urlopen(request).status, None, None
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read()

    def shown():
        name = hashlib.sha256(origin.encode()).hexdigest()
        note = urllib.request.urlopen(f"{url}/{name}/checkpoint").read().decode()
        return note.startswith(signed(real, 600).split("\n\n")[0]) and cosigned(note, "", key)

    refuses("ours_knows_nothing_yet", shown, urllib.error.HTTPError)
    accepts("ours_cosigns_the_first", lambda: grows(300))
    accepts("ours_cosigns_the_next", lambda: grows(600))
    accepts("ours_cosigns_the_same_again", lambda: grows(600))
    accepts("ours_refuses_a_fork_of_the_same_size", lambda: status("old 600\n\n" + signed(twin, 600))[0] == 422)
    refuses("ours_refuses_it_from_their_client", lambda: client.submit(signed(twin, 600), twin.consistency_proof), WitnessRejected)
    refuses("ours_refuses_a_larger_fork", lambda: client.submit(signed(twin, 900), twin.consistency_proof), WitnessRejected)
    refuses("ours_refuses_a_rollback", lambda: client.submit(signed(real, 300), real.consistency_proof), WitnessAhead)
    rollback = (409, "text/x.tlog.size", b"600\n")
    accepts("ours_says_what_it_has_seen", lambda: status("old 0\n\n" + signed(real, 300)) == rollback)
    stranger = signed(real, 600).replace(origin, "log.example/other")
    accepts("ours_does_not_know_others", lambda: status("old 0\n\n" + stranger)[0] == 404)
    changed = signed(real, 600).replace("\n600\n", "\n601\n")
    accepts("ours_demands_the_logs_signature", lambda: status("old 600\n\n" + changed)[0] == 403)
    accepts("ours_takes_no_smaller_checkpoint", lambda: status("old 601\n\n" + signed(real, 600))[0] == 400)
    accepts("ours_takes_no_half_request", lambda: status("old 600\n")[0] == 400)
    accepts("ours_shows_what_it_cosigned", shown)
    accepts("ours_keeps_the_forks", lambda: len(list((work / "ours/forks").iterdir())) == 2)


for start, play in [(theirs, our_client_before_theirs), (ours, their_client_before_ours)]:
    process, url, key = start()
    try:
        play(url, key)
    finally:
        process.terminate()
        process.wait()
done()
