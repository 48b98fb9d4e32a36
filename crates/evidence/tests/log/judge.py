"""Judges a published log with aics-tlog, and signs one checkpoint of its own; says so as JSON."""

import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import aics_tlog as t

folder, request = sys.argv[1], json.loads(sys.argv[2])
reader = t.FileSystemTileReader(folder)
with open(f"{folder}/checkpoint", "rb") as file:
    note = t.parse_note(file.read())
log_key = t.parse_vkey(request["vkey"])
head = t.parse_checkpoint(note.text)
witnesses = [t.parse_vkey(vkey) for vkey in request["witnesses"]]
verdict = t.verify_checkpoint(note, log_key, witnesses, len(witnesses), expected_origin=request["origin"])
audit = t.audit_tiles(reader, head.size, head.root)

inclusion, entries = {}, {}
for index in request["indexes"]:
    entry = t.read_entry(reader, index, head.size)
    proof = t.inclusion_proof_from_tiles(reader, index, head.size)
    assert t.verify_leaf_inclusion(entry, index, head.size, proof, head.root)
    ours = [bytes.fromhex(hash) for hash in request["inclusion"][str(index)]]
    assert t.verify_leaf_inclusion(entry, index, head.size, ours, head.root), f"our proof of {index}"
    inclusion[index] = [hash.hex() for hash in proof]
    entries[index] = entry.decode()

consistency = {}
for older in request["older"]:
    root = t.tree_root_from_tiles(reader, older, head.size)
    ours = [bytes.fromhex(hash) for hash in request["consistency"][str(older)]]
    assert t.verify_consistency(older, head.size, root, head.root, ours), f"our proof of {older}"
    proof = t.consistency_proof_from_tiles(reader, older, head.size)
    consistency[older] = [hash.hex() for hash in proof]

# Its own log and witness, for our parser.
own, witness = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
checkpoint = t.Checkpoint("example.com/its-log", head.size, head.root)
signed = t.sign_checkpoint(checkpoint, own, "example.com/its-log")
_, line = t.sign_cosignature(
    witness, "example.com/witness", 1767000000, "example.com/its-log", head.size, head.root
)
signed = t.Note(text=signed.text, signatures=(*signed.signatures, line))
print(
    json.dumps(
        {
            "ok": verdict.ok,
            "error": verdict.error,
            "size": audit.size,
            "tiles": audit.tiles,
            "bundles": audit.bundles,
            "inclusion": inclusion,
            "consistency": consistency,
            "entries": entries,
            "its_checkpoint": signed.serialise(),
            "its_vkey": t.format_vkey(t.vkey_from_ed25519("example.com/its-log", own.public_key())),
            "its_witness": t.format_vkey(
                t.cosignature_vkey("example.com/witness", witness.public_key())
            ),
        }
    )
)
