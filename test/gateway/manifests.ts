import { join } from "node:path";
import type { JsonObject } from "@cmcp/boundary";
import { ManifestIssuer, manifestMembers, OTHER_ARTIFACTS } from "../../packages/manifest/src/testing/issuer.ts";
import { cmcp } from "./cli.ts";
import { newOperator } from "./operator.ts";
import { startDeployment, type Deployment } from "./principals.ts";

/** The agent whose manifests tests make: a principal's name, and a SPIFFE ID. */
export const DESK = "spiffe://bank.example/agents/desk";
/** Another such agent. */
export const DOOR = "spiffe://bank.example/agents/door";

/** A gateway that asks for agent manifests, with who issues and who revokes them. */
export interface ManifestDeployment extends Deployment {
  readonly issuer: ManifestIssuer;
  readonly authority: ReturnType<typeof newOperator>;
  /** Members of a manifest of {@link DESK} for the policy and catalog in force. */
  readonly members: (more?: JsonObject) => JsonObject;
  /** Presents bytes as an agent's manifest. */
  present(principal: string, manifest: Uint8Array): Promise<{ readonly status: number; readonly body: Presented }>;
}

/** What presenting a manifest is answered with. */
export interface Presented {
  readonly thumbprint?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

const DAY_MS = 86_400_000;
const at = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();

/**
 * Starts such a gateway, whose principals are {@link DESK}, {@link DOOR} and `alice`.
 * @param enclave lines of the configuration's `enclave` section
 * @param more lines of its top level
 */
export async function startManifestDeployment(
  enclave: readonly string[] = [],
  more = "",
  start?: Parameters<typeof startDeployment>[2],
): Promise<ManifestDeployment> {
  const issuer = new ManifestIssuer();
  const authority = newOperator();
  const section = `agent_manifest: {anchors: [{public_key: ${issuer.publicKey}}], revocation_keys: [${authority.publicKey}]}`;
  const lines = [...enclave, `operator_keys: []\n${section}\n${more}`];
  const deployment = await startDeployment({ [DESK]: null, [DOOR]: null, alice: null }, lines, start);
  const artifacts = await artifactsOf(deployment);
  return {
    ...deployment,
    get gateway() {
      return deployment.gateway;
    },
    issuer,
    authority,
    members: (rest = {}) => manifestMembers({ artifacts, issued_at: at(-1), expires_at: at(1), ...rest }),
    present: async (principal, manifest) => {
      const agent = deployment.agent(deployment.tokenOf(principal));
      const { status, text: body } = await agent.request("/manifest", {
        method: "POST",
        body: new Uint8Array(manifest),
      });
      return { status, body: JSON.parse(body) as Presented };
    },
  };
}

/** The artifacts of a manifest for what the gateway runs. */
async function artifactsOf({ folder }: Deployment): Promise<JsonObject> {
  const hashOf = async (kind: string, path: string): Promise<string> => {
    const { stdout } = await cmcp([kind, "hash", join(folder, "deployment", path)]);
    return stdout.trim();
  };
  return {
    ...OTHER_ARTIFACTS,
    policy_bundle: { hash: await hashOf("policy", "policies"), policy_language: "cedar", enforcement_mode: "enforce" },
    tool_manifest: { catalog_hash: await hashOf("catalog", "catalog.json") },
  };
}
