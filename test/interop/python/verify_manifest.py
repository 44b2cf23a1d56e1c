"""Prints, as JSON, what the newest public package makes of a manifest file, and the intent digest that it derives."""

import json
import sys
from pathlib import Path

from agent_manifest import RevocationStore, VerificationContext, decode_cose_manifest, intent_hash, verify_manifest

path, anchors, policy_hash, catalog_hash = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), sys.argv[3], sys.argv[4]
raw = path.read_bytes()
manifest = raw if raw[0] == 0xD2 else json.loads(raw)
result = verify_manifest(
    manifest,
    VerificationContext(
        policy_bundle_hash=policy_hash,
        tool_catalog_hash=catalog_hash,
        enforcement_mode="enforce",
        trusted_keys={key["key_id"]: key["public_key_base64url"] for key in anchors["keys"]},
        strict_artifact_verification=False,
    ),
    RevocationStore(),
)
read = decode_cose_manifest(raw).manifest if isinstance(manifest, bytes) else manifest
print(
    json.dumps(
        {
            "result": result.result.value,
            "signed": result.signature_verified,
            "policy": result.fields_verified.policy_bundle.value,
            "catalog": result.fields_verified.tool_manifest.value,
            "intent": intent_hash(read),
        }
    )
)
