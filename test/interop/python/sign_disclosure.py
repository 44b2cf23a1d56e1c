"""Signs an exact-output disclosure with the public package, and has its gate judge a signature: ours, or its own.

Arguments: a JSON file of the permission's members, the bytes as hex, the Ed25519 seed as hex, and a signature as hex.
"""

import json
import sys
import tempfile
from pathlib import Path

from cmcp_runtime.disclosure import (
    DisclosureApproval,
    DisclosureGate,
    ReleaseAuthority,
    ReleaseRecipient,
    ReleaseRequest,
    ReplayStore,
    approve_exact_output,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

path, payload, seed, signature = sys.argv[1:5]
said = json.loads(Path(path).read_text(encoding="utf-8"))
key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
times = {name: said[name] for name in ("not_before", "expires_at")}
request = ReleaseRequest(
    payload=bytes.fromhex(payload),
    labels=tuple(said["labels"]),
    **{name: said[name] for name in ("workload", "source_scope", "recipient", "purpose", "policy_version", "request_id")},
)
theirs = approve_exact_output(request, principal=said["principal"], key=key, **times)

delivered = []
with tempfile.TemporaryDirectory() as folder:
    gate = DisclosureGate(
        policy_version=said["policy_version"],
        source_scopes=frozenset({said["source_scope"]}),
        sensitivity_order={label: 1 for label in said["labels"]} | {"public": 0},
        recipients={said["recipient"]: ReleaseRecipient("public", "external", delivered.append)},
        authorities={
            said["principal"]: ReleaseAuthority(
                key.public_key(),
                frozenset({said["source_scope"]}),
                frozenset({said["recipient"]}),
                frozenset({said["purpose"]}),
            )
        },
        replay_store=ReplayStore(Path(folder) / "replay.db"),
        now=lambda: said["not_before"],
    )
    ours = DisclosureApproval(said["principal"], signature=bytes.fromhex(signature), **times)
    observed = [gate.release(request, ours).disposition, gate.release(request, ours).reason]
print(json.dumps({"signature": theirs.signature.hex(), "gate": observed, "delivered": [one.hex() for one in delivered]}))
