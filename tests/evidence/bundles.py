"""Two verifiers, remit-verify and the Python one, on the same bundles: each must say what must be said, by the same checks."""

import json
import os
import subprocess
import sys
from pathlib import Path

from checks import accepts, done, fixture, flip

root = Path(__file__).resolve().parent.parent.parent
target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
verifiers = {
    "rust": [target / "debug/remit-verify"],
    "python": [sys.executable, root / "verifiers/python/remit_verify.py"],
}


def run(verifier, name, bundle=None):
    """Exit code, verdict, the checks that do not hold, and the levels."""
    command = [*verifiers[verifier], bundle or fixture / f"{name}.evidence.json"]
    command += ["--trust", fixture / f"{name}.trust.json", "--json"]
    state = fixture / f"{name}.state"
    if state.exists():
        # A verdict is remembered; the next verifier must find the state as it was.
        heads = (state / "heads").read_text()
        command += ["--state", state]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if state.exists():
        (state / "heads").write_text(heads)
        (state / "trust").unlink(missing_ok=True)
    if ended.stderr:
        raise RuntimeError(ended.stderr)
    report = json.loads(ended.stdout)
    bad = {(check["check"], check["outcome"]) for check in report["checks"] if check["outcome"] != "holds"}
    return ended.returncode, report["verdict"], sorted(bad), [claim["level"] for claim in report["claims"]]


def agree(case):
    rust, python = run("rust", case["name"]), run("python", case["name"])
    assert rust == python, f"they disagree: {rust} and {python}"
    assert rust[:2] == (case["code"], case["verdict"]), f"{rust}, not {case['verdict']}"
    assert case["by"] is None or case["by"] in [check for check, _ in rust[2]], f"{rust[2]}, not by {case['by']}"


cases = json.loads((fixture / "cases.json").read_text())
accepts("there_are_cases", lambda: len(cases) >= 40 and {case["code"] for case in cases} == {0, 1, 2, 3})
for case in cases:
    accepts(case["name"], lambda: agree(case))


def flipped(at):
    good, bad = fixture / "good_chain.evidence.json", fixture / "flipped"
    bad.write_bytes(flip(good.read_bytes(), at))
    rust, python = run("rust", "good_chain", bad), run("python", "good_chain", bad)
    assert rust[:2] == python[:2] and rust[0] != 0, f"{rust} and {python}"


def follows(versions, code):
    for verifier in verifiers.values():
        command = [*verifier, fixture / "good_chain.evidence.json", "--trust", fixture / "good_chain.trust.json"]
        for version in versions:
            command += ["--next", fixture / f"trust.{version}.envelope.json"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == code and bool(ended.stdout) == (code == 0), f"{ended}"


accepts("trust_follows", lambda: follows([2, 3], 0))
accepts("trust_does_not_come_back", lambda: follows([3, 2], 2))
accepts("trust_does_not_repeat", lambda: follows([1], 2))
size = (fixture / "good_chain.evidence.json").stat().st_size
for at in range(0, size, size // 40):
    accepts(f"flipped_at_{at}", lambda: flipped(at))
done()
