"""Prints, as JSON, whether the public verifier accepts a claim of a session with the manifest that it ran under."""

import base64
import json
import sys
from pathlib import Path

from cmcp_verify import ApprovedHashes, verify_trace_claim

claim, manifest, anchors = (json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:4])
keys = {key["key_id"]: base64.urlsafe_b64decode(key["public_key_base64url"] + "=") for key in anchors["keys"]}
approved = ApprovedHashes(
    policy_bundle_hash=claim["trace"]["policy"]["bundle_hash"],
    tool_catalog_hash=claim["gateway"]["catalog"]["hash"],
)
found = verify_trace_claim(claim, approved, agent_manifest=manifest, trusted_agent_manifest_keys=keys)
print(
    json.dumps(
        {
            "manifest": "agent_manifest.binding" in found.verified_fields,
            "signature": "signature" in found.verified_fields,
            "why": found.details.get("agent_manifest"),
        }
    )
)
