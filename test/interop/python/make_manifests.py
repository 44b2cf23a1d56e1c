"""Makes agent manifests with the public package, under a given key: manifest.json, manifest.cose, anchors.json and crl.jsonl in a folder."""

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent_manifest import Ed25519KeyPair, Ed25519Signer, sign_cose_sign1
from agent_manifest._revocation import sign_revocation
from agent_manifest.models import Manifest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

folder, policy_hash, catalog_hash, agent_id, seed = Path(sys.argv[1]), *sys.argv[2:6]
now = datetime.now(tz=UTC).replace(microsecond=0)
bound_at = (now - timedelta(minutes=1)).isoformat()


def document(version: str, manifest_id: str, statement: str) -> dict:
    made = {
        "@context": "https://manifest.agentrust-io.com/v0.2/context.json",
        "@type": "AgentManifest",
        "manifest_id": manifest_id,
        "agent_id": agent_id,
        "version": version,
        "issued_at": bound_at,
        "expires_at": (now + timedelta(days=1)).isoformat(),
        "issuer": "spiffe://bank.example/issuers/desk",
        "crypto_profile": "standard",
        "artifacts": {
            "system_prompt": {"hash": "sha256:" + "1" * 64, "version": "1.0.0", "classification": "internal", "bound_at": bound_at},
            "model_identity": {
                "provider": "example",
                "model_id": "model-1",
                "version": "1",
                "model_hash": None,
                "deployment_type": "api",
                "model_attestation_type": "provider-asserted",
                "bound_at": bound_at,
            },
            "policy_bundle": {
                "hash": policy_hash,
                "policy_language": "cedar",
                "version": "1.0.0",
                "enforcement_mode": "enforce",
                "bound_at": bound_at,
            },
            "tool_manifest": {
                "catalog_hash": catalog_hash,
                "tools": [],
                "rug_pull_policy": "deny-and-alert",
                "bound_at": bound_at,
            },
        },
        "intent": {"statement": statement},
    }
    Manifest.model_validate(made)
    # A catalog_hash beside tools is the root of a tree of them. That of a gateway's catalog is none, so they are left out.
    del made["artifacts"]["tool_manifest"]["tools"]
    return made


private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
keys = Ed25519KeyPair(private_key=private, public_key=private.public_key())
# The older package that the public verifier runs on writes some characters in another way; this text both write alike.
detached = document("0.1", "018f4a3b-2c1d-7e5f-a8b9-0d1e2f3a4b5c", "Reads records and sends messages in a café.")
detached["signature"] = Ed25519Signer(keys).sign(detached)
enveloped = document("0.2", "018f4a3b-2c1d-7e5f-a8b9-0d1e2f3a4b5d", "Reads \u2028 e\u0301 \x7f \U0001f600 1.0")
(folder / "manifest.json").write_text(json.dumps(detached, indent=1, ensure_ascii=False), encoding="utf-8")
(folder / "manifest.cose").write_bytes(sign_cose_sign1(enveloped, keys))
anchor = {"key_id": keys.key_id, "public_key_base64url": keys.public_b64url()}
assert keys.key_id == hashlib.sha256(keys.public_bytes).hexdigest()
(folder / "anchors.json").write_text(json.dumps({"keys": [anchor]}), encoding="utf-8")
record = sign_revocation(enveloped["manifest_id"], "interop", "mailto:security@bank.example", keys)
(folder / "crl.jsonl").write_text(record.model_dump_json() + "\n", encoding="utf-8")
