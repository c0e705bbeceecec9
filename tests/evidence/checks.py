"""How a check is told: `ok NAME`, or `FAILED NAME: why`. The runner counts these lines."""

import sys
from pathlib import Path

fixture = Path(sys.argv[1])
log = fixture / "log"
failed = False


def accepts(name, check):
    """The check must not raise, and must not answer False."""
    global failed
    try:
        answer = check()
        why = "it was refused" if answer is False else None
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    failed |= why is not None
    print(f"ok {name}" if why is None else f"FAILED {name}: {why}")


def refuses(name, check, reasons):
    """The check must raise one of these reasons, or answer False. Any other error is no refusal."""
    global failed
    try:
        why = None if check() is False else "it was accepted"
    except reasons:
        why = None
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    failed |= why is not None
    print(f"ok {name}" if why is None else f"FAILED {name}: {why}")


def flip(content, at):
    """The same bytes with one bit changed."""
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def done():
    sys.exit(1 if failed else 0)
