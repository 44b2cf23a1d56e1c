import { hash, randomBytes } from "node:crypto";
import type { JsonValue } from "@cmcp/boundary";
import type { NewFile } from "../create-folder.ts";

/** The principal that a new deployment knows. */
export const FIRST_PRINCIPAL = "agent";
/** Random bytes of its token: 256 bits. */
const TOKEN_BYTES = 32;
const OWNER_ONLY = 0o600;

const CONFIG = `# A gateway of cMCP. The reference of every key: docs/reference/configuration.md
#   check it:   cmcp validate-config --config FILE, and cmcp doctor --config FILE for this machine
#   start it:   cmcp start --config FILE

attestation:
  # Evidence of the machine that the enclave runs in. software-only proves nothing about hardware: who controls this host controls the
  # enclave, and status, claims and cmcp verify say so. It is for pilots. On a confidential machine name its platform: sev-snp, tdx,
  # azure-cvm or tpm (docs/how-to/run-confidentially).
  provider: software-only
  # advisory makes calls that policy denies and records that it would have denied them.
  enforcement_mode: enforcing

# Who may call what: Cedar rules (docs/how-to/write-and-test-a-policy.md). The bundle is measured.
policy_bundle_path: policies/
# The tools that were approved, and their servers (docs/how-to/approve-a-tool.md). It is measured, too.
catalog_path: catalog.json
# The record: every decision, signed and chained.
audit_db_path: audit.db

# Loopback alone. Agents on other machines need another address, and a way that seals (docs/how-to/seal-requests.md).
listen_addr: LISTEN

enclave:
  # One line for each token: a principal, and the token's hash (cmcp token new). SIGHUP reads it again.
  token_file: tokens
  principals:
    - {id: ${FIRST_PRINCIPAL}}
  # People who look at calls that a rule has wait (docs/how-to/approve-calls.md). Without one such calls are denied.
  # approvers:
  #   - {id: alice, ed25519: "the public key that cmcp key new prints"}
`;

const IGNORED =
  "# Secrets, and the record.\nagent-token\ntokens\naudit.db*\n# Files of servers; the lock files beside them say what they are.\nservers/*/\n";

/** What a new deployment is made of. */
export interface NewDeployment {
  readonly catalog: JsonValue;
  /** Files of its policy bundle, by their paths in it. */
  readonly policy: Readonly<Record<string, string>>;
  /** host:port. */
  readonly listen: string;
}

/** The files of a new deployment, by their paths in its folder, with a fresh token for its one principal. */
export function deploymentFiles({ catalog, policy, listen }: NewDeployment): Record<string, NewFile> {
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  const bundle = Object.entries(policy).map(([name, content]) => [`policies/${name}`, { content }] as const);
  return {
    "cmcp-config.yaml": { content: CONFIG.replace("LISTEN", listen) },
    "catalog.json": { content: `${JSON.stringify(catalog, null, 2)}\n` },
    ...Object.fromEntries(bundle),
    tokens: { content: `${FIRST_PRINCIPAL} sha256:${hash("sha256", token)}\n`, mode: OWNER_ONLY },
    "agent-token": { content: `${token}\n`, mode: OWNER_ONLY },
    ".gitignore": { content: IGNORED },
  };
}
