import { DEFAULT_DEFER_SECONDS } from "./enclave.ts";
import { measuredLog } from "./log.ts";
import { measuredConfigSchema, type Config } from "./measured.ts";
import type { ConfigFile } from "./schema.ts";

/** What is measured only where it is not as it usually is, so that it changes no launch digest otherwise. */
function unlessUsual({
  integrity,
  channel,
  pad_sealed_answers,
  provisioning_keys,
  catalog_keys,
  catalog_approvals,
  defer_seconds,
  tool_search,
  listed_tools,
}: Pick<
  ConfigFile["enclave"],
  | "integrity"
  | "channel"
  | "pad_sealed_answers"
  | "provisioning_keys"
  | "catalog_keys"
  | "catalog_approvals"
  | "defer_seconds"
  | "tool_search"
  | "listed_tools"
>): object {
  return {
    ...(defer_seconds === DEFAULT_DEFER_SECONDS ? {} : { defer_seconds }),
    ...(tool_search ? { tool_search } : {}),
    ...(listed_tools == null ? {} : { listed_tools }),
    ...(provisioning_keys.length === 0 ? {} : { provisioning_keys }),
    ...(catalog_keys.length === 0 ? {} : { catalog_keys }),
    ...(catalog_approvals == null ? {} : { catalog_approvals }),
    ...(integrity?.scope === "principal" ? { integrity: { scope: "principal" } } : {}),
    ...(channel === "sealed" ? { channel } : {}),
    ...(pad_sealed_answers ? {} : { pad_sealed_answers }),
  };
}

/** Those that have a member. */
function unlessEmpty(mappings: Readonly<Record<string, object | null | undefined>>): object {
  return Object.fromEntries(Object.entries(mappings).filter(([, mapping]) => Object.keys(mapping ?? {}).length > 0));
}

/** Who approves, for how long a call waits, and where a person is sent. */
function measuredApprovals({
  approvers,
  approval_seconds,
  approval_url,
  approval_webhook,
}: Pick<ConfigFile["enclave"], "approvers" | "approval_seconds" | "approval_url" | "approval_webhook">): object {
  if (approvers.length === 0) return {};
  return {
    approvers,
    approval_seconds,
    ...(approval_url == null ? {} : { approval_url }),
    ...(approval_webhook == null ? {} : { approval_webhook }),
  };
}

function measuredAttestation({
  provider,
  enforcement_mode,
  validity_seconds,
  staleness_policy,
  expected_measurement,
  allow_unmeasured_spawn,
  required_provenance_kind,
}: ConfigFile["attestation"]): object {
  return {
    provider,
    enforcement_mode,
    validity_seconds,
    staleness_policy: staleness_policy ?? "fail_closed",
    expected_measurement: expected_measurement ?? null,
    ...(allow_unmeasured_spawn ? { allow_unmeasured_spawn } : {}),
    ...(required_provenance_kind == null ? {} : { required_provenance_kind }),
  };
}

/** What of a configuration file is measured. */
export function measure(written: ConfigFile): Config {
  const {
    egress_allow: _hosts,
    token_file: _tokens,
    credentials_file: _credentials,
    workflows,
    workflow_tools,
    principals,
    identity,
    channel: _channel,
    pad_sealed_answers: _padding,
    provisioning_keys: _provisioners,
    catalog_keys: _catalogKeys,
    catalog_approvals: _catalogApprovals,
    integrity: _integrity,
    rate_limits,
    budgets,
    finding_labels,
    server_roots,
    spiffe_bundles,
    approvers: _approvers,
    approval_seconds: _approvalSeconds,
    approval_url: _approvalUrl,
    approval_webhook: _approvalWebhook,
    defer_seconds: _deferSeconds,
    tool_search: _toolSearch,
    listed_tools: _listedTools,
    ...enclave
  } = written.enclave;
  const domains = written.sensitivity?.compliance_domains ?? {};
  return measuredConfigSchema.parse({
    attestation: measuredAttestation(written.attestation),
    catalog: written.catalog,
    max_response_size_bytes: written.max_response_size_bytes,
    policy_reload_interval_seconds: written.policy_reload_interval_seconds,
    sensitivity: {
      vocabulary: written.sensitivity?.vocabulary ?? {},
      ...(Object.keys(domains).length === 0 ? {} : { compliance_domains: domains }),
    },
    ...(written.kill_switch.enabled ? { kill_switch: written.kill_switch } : {}),
    log: measuredLog(written.log),
    ...(written.sink_policy == null ? {} : { sink_policy: written.sink_policy }),
    ...(written.agent_manifest == null ? {} : { agent_manifest: written.agent_manifest }),
    ...(written.conformance_profile == null ? {} : { conformance_profile: written.conformance_profile }),
    enclave: {
      ...enclave,
      ...(workflow_tools == null ? {} : { workflow_tools }),
      ...unlessEmpty({ finding_labels, server_roots, spiffe_bundles, rate_limits, budgets }),
      ...unlessUsual(written.enclave),
      ...measuredApprovals(written.enclave),
      identity: identity ?? {},
      principals: principals.map(({ id, workflows: own, role }) => ({
        id,
        workflows: own ?? workflows,
        ...(role == null || role === "agent" ? {} : { role }),
      })),
    },
  });
}
