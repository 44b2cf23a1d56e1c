import { createHash, sign, type KeyObject } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildReload } from "@cmcp/launch";
import { readBundleFolder, readLaunchInputs } from "@cmcp/launch/files";
import { readBundle, signBundle } from "@cmcp/policy/bundle";
import { buildProvision } from "@cmcp/provision/message";
import { deploy } from "../../gateway/deployment.ts";
import { signingKey } from "../../gateway/signed-bundle.ts";
import { newApprover, type TestApprover } from "../../../packages/approval/src/testing/statements.ts";
import type { ToolServer } from "../server.ts";

/** Principals of one deployment: a schedule takes two, and one is the test's own. */
export const PRINCIPALS = 65;
/** The last of them, of which no schedule knows. */
export const CONTROL = PRINCIPALS - 1;

export const principalId = (index: number): string => `principal-${index}`;
export const tokenOf = (index: number): string => `token-of-principal-${String(index).padStart(8, "0")}-0123456789`;

const RULES = `
@id("messages") permit (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message");
@id("no-messages-after-records") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message")
when { context.session_max_sensitivity != "public" };
@id("records") @redact_fields("ssn") @keep_fields("name,diagnosis") permit (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"get_patient_record");
@id("no-erasing") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"erase_record");
@id("payments") permit (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"pay_invoice");
@id("payments-need-a-person") @aarm_decision("require_approval") @approvers("ann") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"pay_invoice");
`;
const PERMISSIVE = '@id("everything") permit (principal, action, resource);\n';

/** Everything a host has of a deployment, and what it would like to have. */
export interface Deployed {
  readonly document: Uint8Array;
  readonly provision: Uint8Array;
  /** Who approves payments. The host does not have its key. */
  readonly approver: TestApprover;
  /** Reload messages: the bundle in force again, higher ones, and one that nobody signed, or somebody else did. */
  readonly reloads: {
    readonly same: Uint8Array;
    readonly newer: readonly Uint8Array[];
    readonly unsigned: Uint8Array;
    readonly forged: Uint8Array;
  };
}

function bundle(rules: string, version: string, key: KeyObject | null, schema: string): Record<string, string> {
  const manifest = {
    version,
    authored_at: "2026-01-01T00:00:00Z",
    author_identity: "test@example.org",
    commit_sha: "0",
  };
  const files = { "rules.cedar": rules, "schema.cedarschema": schema };
  const unsigned = readBundle({ ...files, "manifest.json": JSON.stringify(manifest) });
  const signature = key === null ? {} : { signature: signBundle(unsigned, (bytes) => sign(null, bytes, key)) };
  return { ...files, "manifest.json": JSON.stringify({ ...manifest, ...signature }) };
}

/** A provision message of every principal's own token. */
export function provisionOf(entries: readonly (readonly [principal: string, token: string])[]): Uint8Array {
  return buildProvision({
    v: 1,
    tokens: entries.map(([principal, token]) => ({
      principal,
      sha256: createHash("sha256").update(token).digest("hex"),
    })),
  });
}

const everybody = Array.from({ length: PRINCIPALS }, (_, index) => [principalId(index), tokenOf(index)] as const);

/** Writes a deployment in front of the tool server and reads it as the host does. */
export async function deployed(folder: string, server: ToolServer): Promise<Deployed> {
  const { key, publicKey } = signingKey();
  const ann = newApprover("ann");
  const config = await deploy(folder, {
    tools: server.tools,
    policies: RULES,
    config: [
      "policy_reload_interval_seconds: 1",
      "attestation: {validity_seconds: 2592000}",
      "enclave:",
      "  upstream_connect_timeout_ms: 1000",
      "  upstream_idle_timeout_ms: 2000",
      "  upstream_call_timeout_ms: 2000",
      `  approvers: [{id: ann, ed25519: ${ann.approver.ed25519}}]`,
      "  principals:",
      "    - {id: default}",
      ...everybody.map(([id]) => `    - {id: "${id}"}`),
      "",
    ].join("\n"),
  });
  const policies = join(folder, "policies");
  const { "schema.cedarschema": schema = "" } = await readBundleFolder(policies);
  const first = bundle(RULES, "1.0.0", key, schema);
  for (const [name, text] of Object.entries(first)) await writeFile(join(policies, name), text);
  const { document } = await readLaunchInputs(config, {
    CMCP_DEV_MODE: "1",
    CMCP_POLICY_SIGNING_KEY: publicKey,
  });
  return {
    document,
    provision: provisionOf(everybody),
    approver: ann,
    reloads: {
      same: buildReload({ policy_bundle: first }),
      newer: Array.from({ length: 40 }, (_, at) =>
        buildReload({ policy_bundle: bundle(`${RULES}// ${at}\n`, `1.${at + 1}.0`, key, schema) }),
      ),
      unsigned: buildReload({ policy_bundle: bundle(PERMISSIVE, "9.0.0", null, schema) }),
      forged: buildReload({ policy_bundle: bundle(PERMISSIVE, "9.0.0", signingKey().key, schema) }),
    },
  };
}
