"""aics-tlog: notes, quorum, tiles, inclusion, consistency and a full audit."""

import base64

from aics_tlog import (
    FileSystemTileReader,
    MemoryTileReader,
    TileMissingError,
    TileVerificationError,
    WitnessPolicy,
    audit_tiles,
    consistency_proof_from_tiles,
    inclusion_proof_from_tiles,
    leaf_hash,
    parse_note,
    parse_vkey,
    read_entry,
    tree_root_from_tiles,
    verify_checkpoint,
    verify_consistency,
    verify_inclusion,
)
from checks import accepts, done, fixture, flip, log, refuses

log_key = parse_vkey((fixture / "log.vkey").read_text())
witness = parse_vkey((fixture / "witness.vkey").read_text())
policy = WitnessPolicy(quorum=1, witnesses=(witness,))
head = (log / "checkpoint").read_bytes()
reader = FileSystemTileReader(log)


def opened(note, **options):
    return verify_checkpoint(parse_note(note), log_key, **{"policy": policy, **options})


def checkpoint(note):
    result = opened(note)
    if not result.ok:
        raise ValueError(result.error)
    return result


now, before = checkpoint(head), checkpoint((log / "checkpoint.300").read_bytes())
accepts("checkpoint_with_quorum", lambda: now.size == 600 and now.cosignature_count == 1 and now.log_ok)
signatures = head.index(b"\n\n")
refuses("checkpoint_with_another_root", lambda: checkpoint(flip(head, signatures - 10)), ValueError)
witness_line = head.rindex(b"\n", 0, -1)
letter = b"B" if head[-40:-39] == b"A" else b"A"
refuses("cosignature_with_a_changed_letter", lambda: checkpoint(head[:-40] + letter + head[-39:]), ValueError)
refuses("checkpoint_without_its_cosignature", lambda: checkpoint(head[: witness_line + 1]), ValueError)

leaf = (fixture / "leaf").read_bytes()
lines = (fixture / "record.tlog-proof").read_text().split("\n\n")[0].split("\n")
path = [base64.b64decode(line, validate=True) for line in lines[3:]]


def included(entry=leaf, index=300, size=600, proof=path, root=now.root):
    return verify_inclusion(leaf_hash(entry), index, size, proof, root)


accepts("index_of_the_proof", lambda: lines[2] == "index 300")
accepts("inclusion", included)
accepts("inclusion_is_the_one_from_tiles", lambda: inclusion_proof_from_tiles(reader, 300, 600) == path)
refuses("inclusion_of_another_leaf", lambda: included(entry=flip(leaf, 20)), ValueError)
refuses("inclusion_at_another_place", lambda: included(index=301), ValueError)
refuses("inclusion_with_a_step_too_few", lambda: included(proof=path[1:]), ValueError)

grown = [base64.b64decode(line, validate=True) for line in (fixture / "consistency").read_text().split()]


def consistent(old=before.root, new=now.root, proof=grown):
    return verify_consistency(300, 600, old, new, proof)


accepts("consistency", consistent)
accepts("consistency_is_the_one_from_tiles", lambda: consistency_proof_from_tiles(reader, 300, 600) == grown)
refuses("consistency_with_another_past", lambda: consistent(old=flip(before.root, 0)), ValueError)
refuses("consistency_with_a_step_too_few", lambda: consistent(proof=grown[1:]), ValueError)

accepts("root_from_tiles", lambda: tree_root_from_tiles(reader, 600) == now.root)
accepts("old_root_from_its_partial_tiles", lambda: tree_root_from_tiles(reader, 300) == before.root)
accepts("entry_from_its_bundle", lambda: read_entry(reader, 300, 600) == leaf)
accepts("audit", lambda: audit_tiles(reader, 600, now.root).bundles == 3)
accepts("audit_of_the_past", lambda: audit_tiles(reader, 300, before.root).bundles == 2)
files = {str(file.relative_to(log)): file.read_bytes() for file in log.glob("tile/**/*") if file.is_file()}
for name in ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/88", "tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"]:
    changed = MemoryTileReader({**files, name: flip(files[name], 21)})
    refuses(f"audit_with_a_bit_changed_in_{name}", lambda: audit_tiles(changed, 600, now.root), (TileVerificationError, ValueError))
    lost = MemoryTileReader({path: content for path, content in files.items() if path != name})
    refuses(f"audit_without_{name}", lambda: audit_tiles(lost, 600, now.root), (TileMissingError, TileVerificationError))
done()
