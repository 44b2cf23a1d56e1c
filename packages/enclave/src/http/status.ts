import type { HttpResponse } from "@cmcp/mcp";
import { assuranceOf } from "../instance/assurance.ts";
import type { Core } from "../boot/core.ts";
import type { PhaseMachine } from "../boot/phases.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import { load } from "./load.ts";
import { json } from "./json-response.ts";

/** What this instance is: phase, isolation, what it enforces. Nothing here is secret and nothing here is proof. */
export function status(core: Core, phases: PhaseMachine): HttpResponse {
  return json({
    gateway_version: GATEWAY_VERSION,
    phase: phases.phase,
    instance: core.instance,
    platform: core.platform,
    assurance: assuranceOf(core.platform),
    attestation: { report_age_seconds: Math.floor(core.freshness.ageMs / 1000), stale: core.freshness.stale },
    isolation: core.isolation,
    history: core.history,
    development: core.development,
    launch_digest: core.launchDigest,
    policy: {
      bundle_hash: core.policy.bundle.hash,
      version: core.policy.bundle.version,
      shape: core.policy.shape,
      enforcement_mode: core.config.attestation.enforcement_mode,
      warnings: core.policy.warnings,
    },
    catalog: { hash: core.catalog.hash, tools: core.catalog.tools.size, warnings: core.catalog.warnings },
    sessions: {
      open: core.sessions.openCount,
      evicted: core.sessions.evictedCount,
      max: core.config.enclave.max_sessions,
      max_per_principal: core.config.enclave.max_sessions_per_principal,
    },
    load: load(core),
  });
}
