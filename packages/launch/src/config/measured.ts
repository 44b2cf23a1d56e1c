import { bundlesSchema } from "@cmcp/identity/bundle";
import { identitySchema } from "@cmcp/identity/schema";
import * as z from "zod";
import { agentManifestSchema, conformanceProfile } from "./agent-manifest.ts";
import { approvalSeconds, approvalUrl, approvalWebhook, approversSchema } from "./approvals.ts";
import { catalogApprovals, catalogKeysSchema } from "./catalog-keys.ts";
import { principalId } from "./fields.ts";
import { measuredLogSchema } from "./log.ts";
import { budgetsSchema, killSwitchSchema, rateLimitsSchema, sinkPolicySchema } from "./limits.ts";
import { attestationSchema, PROVIDERS } from "./attestation.ts";
import {
  areDistinctPrincipals,
  deferSeconds,
  enclaveSchema,
  findingLabelsSchema,
  LAUNCH_READERS,
  listedToolsSchema,
  MAX_PRINCIPALS,
  serverRootsSchema,
  workflowsSchema,
  workflowToolsSchema,
} from "./enclave.ts";
import { catalogSchema, configSchema } from "./schema.ts";
import { domainsSchema, vocabularySchema } from "./vocabulary.ts";

const enclave = enclaveSchema.shape;
const killSwitch = killSwitchSchema.shape;

/** The configuration as it is measured: only what the enclave acts on, every key present. */
export const measuredConfigSchema = z.strictObject({
  attestation: z.strictObject({
    provider: z.enum(PROVIDERS),
    enforcement_mode: attestationSchema.shape.enforcement_mode.unwrap(),
    validity_seconds: attestationSchema.shape.validity_seconds.unwrap(),
    staleness_policy: attestationSchema.shape.staleness_policy.unwrap().unwrap(),
    expected_measurement: attestationSchema.shape.expected_measurement.unwrap(),
    allow_unmeasured_spawn: z.literal(true).optional(),
    required_provenance_kind: attestationSchema.shape.required_provenance_kind.unwrap().unwrap().optional(),
  }),
  catalog: z.strictObject({ drift_policy: catalogSchema.shape.drift_policy.unwrap() }),
  max_response_size_bytes: configSchema.shape.max_response_size_bytes.unwrap(),
  /** Measured as the promise it is: with 0 the enclave takes no other bundle than the one it was launched with. */
  policy_reload_interval_seconds: configSchema.shape.policy_reload_interval_seconds.unwrap(),
  sensitivity: z.strictObject({
    vocabulary: vocabularySchema,
    /** Absent where the deployment adds none. */
    compliance_domains: domainsSchema.optional(),
  }),
  /** Absent where it is not enabled. */
  kill_switch: z
    .strictObject({
      enabled: z.literal(true),
      window_seconds: killSwitch.window_seconds.unwrap(),
      deny_rate_threshold: killSwitch.deny_rate_threshold.unwrap(),
      min_calls: killSwitch.min_calls.unwrap(),
    })
    .optional(),
  /** Absent where there are no ceilings. */
  sink_policy: sinkPolicySchema.optional(),
  /** Absent where no manifest is asked for. */
  agent_manifest: agentManifestSchema.optional(),
  /** Absent where none is named. */
  conformance_profile: conformanceProfile.optional(),
  log: measuredLogSchema.prefault({}),
  enclave: z.strictObject({
    eat_profile: enclave.eat_profile.unwrap(),
    max_sessions: enclave.max_sessions.unwrap(),
    max_sessions_per_principal: enclave.max_sessions_per_principal.unwrap(),
    session_idle_seconds: enclave.session_idle_seconds.unwrap(),
    sensitivity_floor_seconds: enclave.sensitivity_floor_seconds.unwrap(),
    /** Absent where requests may come in the clear. */
    channel: z.literal("sealed").optional(),
    /** Absent where sealed answers are padded. */
    pad_sealed_answers: z.literal(false).optional(),
    /** Absent for the scope `session`. */
    integrity: z.strictObject({ scope: z.literal("principal") }).optional(),
    /** Absent where findings raise no labels. */
    finding_labels: findingLabelsSchema.optional(),
    drift_check_seconds: enclave.drift_check_seconds.unwrap(),
    upstream_connect_timeout_ms: enclave.upstream_connect_timeout_ms.unwrap(),
    upstream_idle_timeout_ms: enclave.upstream_idle_timeout_ms.unwrap(),
    upstream_call_timeout_ms: enclave.upstream_call_timeout_ms.unwrap(),
    claims: enclave.claims.unwrap(),
    /** Absent where no authority of one's own vouches for a server. */
    server_roots: serverRootsSchema.optional(),
    /** Absent where there is no trust domain. */
    spiffe_bundles: bundlesSchema.optional(),
    stdio: enclave.stdio,
    /** Absent where workflows are not told apart by their tools. */
    workflow_tools: workflowToolsSchema.optional(),
    /** Absent where agents have no search. */
    tool_search: z.literal(true).optional(),
    /** Absent where every tool is listed. */
    listed_tools: listedToolsSchema.optional(),
    /** Each with its own workflows. */
    principals: z
      .array(z.strictObject({ id: principalId, workflows: workflowsSchema, role: z.enum(LAUNCH_READERS).optional() }))
      .min(1)
      .max(MAX_PRINCIPALS)
      .refine(areDistinctPrincipals),
    /** Without issuers and trust domains when nobody calls but with bearer tokens. */
    identity: identitySchema,
    operator_keys: enclave.operator_keys.unwrap(),
    /** Both are absent where the catalog of the launch document stays. */
    catalog_keys: catalogKeysSchema.min(1).optional(),
    catalog_approvals: catalogApprovals.optional(),
    /** Absent where the host provisions. */
    provisioning_keys: enclave.provisioning_keys.unwrap().min(1).optional(),
    /** The four are absent where nobody approves. */
    approvers: approversSchema.min(1).optional(),
    approval_seconds: approvalSeconds.optional(),
    approval_url: approvalUrl.optional(),
    approval_webhook: approvalWebhook.optional(),
    /** Absent where it is {@link DEFAULT_DEFER_SECONDS}. */
    defer_seconds: deferSeconds.optional(),
    /** Absent where nothing is limited. */
    rate_limits: rateLimitsSchema.optional(),
    budgets: budgetsSchema.optional(),
    allowed_origins: enclave.allowed_origins.unwrap(),
  }),
});

/** What the enclave is configured with. Keys are spelled as in `cmcp-config.yaml`. */
export type Config = z.output<typeof measuredConfigSchema>;
