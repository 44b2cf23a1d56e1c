"""Writes claim.json and audit-bundle.json of a software-only session that the Python runtime's own classes build, sign and export."""

import base64
import hashlib
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from cmcp_runtime.audit.chain import AuditChain
from cmcp_runtime.audit.keys import SigningKey
from cmcp_runtime.audit.trace_claim import (
    AttestationReportInfo,
    CallGraphSummary,
    CallSummary,
    PolicyBundleInfo,
    ToolCatalogInfo,
    ToolTranscriptEntry,
    generate_trace_claim,
)
from cmcp_runtime.tee.base import make_audit_bound_nonce

folder, policy_hash, catalog_hash = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

key = SigningKey()
session = str(uuid4())
chain = AuditChain(session)
for tool, decision in (("echo", "allow"), ("get-env", "deny")):
    chain.append(
        "tool_call",
        call_id=str(uuid4()),
        tool_name=tool,
        policy_decision=decision,
        latency_us=1500,
        response_inspection_result="pass" if decision == "allow" else "n/a",
        session_sensitivity_before="public",
        session_sensitivity_after="public",
        effective_data_class="public",
    )
chain.append("session_end", policy_decision="n/a", response_inspection_result="n/a")

claim = generate_trace_claim(
    session_id=session,
    signing_key=key,
    attestation_report=AttestationReportInfo(
        provider="software-only",
        measurement="0" * 64,
        report_data=make_audit_bound_nonce(key.public_key_bytes, chain.chain_root).hex(),
        attestation_generated_at=datetime.now(tz=UTC).isoformat(),
        attestation_validity_seconds=86400,
    ),
    policy_bundle=PolicyBundleInfo(hash=policy_hash, enforcement_mode="enforcing", policy_version="1.0.0"),
    tool_catalog=ToolCatalogInfo(hash=catalog_hash),
    call_summary=CallSummary(
        tool_calls_total=2,
        tool_calls_allowed=1,
        tool_calls_denied=1,
        tool_calls_faulted=0,
        tools_invoked=["echo", "get-env"],
        session_max_sensitivity="public",
        call_graph_summary=CallGraphSummary(compliance_domains_touched=["public"], cross_boundary_events=[]),
    ),
    audit_chain_root=chain.chain_root,
    audit_chain_tip=chain.chain_tip,
    audit_chain_length=chain.length,
    transcript_entries=[
        ToolTranscriptEntry(tool_name="echo", data_class="public", decision="allow"),
        ToolTranscriptEntry(tool_name="get-env", data_class="public", decision="deny"),
    ],
)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


entries = [asdict(entry) for entry in chain.entries]
signature = key.sign(hashlib.sha256(canonical(entries)).digest())
bundle = {
    "session_id": session,
    "entries": entries,
    "bundle_signature": base64.urlsafe_b64encode(signature).rstrip(b"=").decode(),
}
(folder / "claim.json").write_bytes(canonical(claim.model_dump(exclude_none=True)))
(folder / "audit-bundle.json").write_bytes(canonical(bundle))
