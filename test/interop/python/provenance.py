"""Hashes lists of tools, and builds, signs and verifies records of provenance with the public package.

Argument: a JSON file with the lists of tools, the record's identity, the Ed25519 seed as hex, and records of ours with their key.
"""

import json
import sys
from pathlib import Path

from agentrust_trace.provenance import (
    ProvenanceError,
    build_record,
    check_tool_catalog,
    sign_record,
    tool_catalog_hash,
    verify_record,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

said = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(said["seed"]))
tools = said["lists"][0]


def judged(record):
    try:
        verify_record(record, said["jwk"])
        check_tool_catalog(record, tools)
    except ProvenanceError:
        return "refused"
    return "verified"


def hashed(each):
    try:
        return tool_catalog_hash(each)
    except ValueError:
        return None


record = sign_record(
    build_record(kind="observer-attested", publisher="did:web:acme.example", tools=tools, **said["identity"]), key
)
print(
    json.dumps(
        {
            "hashes": [hashed(each) for each in said["lists"]],
            "record": record,
            "verdicts": [judged(each) for each in said["records"]],
        }
    )
)
