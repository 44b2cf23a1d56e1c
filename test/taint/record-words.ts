import { ERROR_CODES } from "@cmcp/boundary";
import { IDENTITY_FAULTS, METHODS } from "@cmcp/mcp";
import { DECISIONS, ENTRY_TYPES, EVIDENCE_CLASSES, INSPECTION_RESULTS } from "../../packages/audit/src/entry.ts";
import { RECORD_KINDS } from "../../packages/audit/src/leaf.ts";
import { DIALECTS } from "./agent.ts";
import { promptName, resourceUri, templateUri, toolName } from "./offers.ts";
import { OUTCOMES } from "./outcomes.ts";
import { credentialName, SERVER_ERAS, type Scene } from "./scene.ts";

/** What is said of formats, keys, platform and gateway. */
const FORMATS =
  "cmcp-leaf-v1 cmcp-receipt-v3 cmcp-disclosure-v1 cmcp-session-key-v2 cmcp-evidence-v1 x-wing OKP Ed25519 software-only " +
  "tag:agentrust-io.com,2026:trace-v0.2 genesis host-asserted complete salted gateway bearer enforcing enforce " +
  "network-namespace none plain sealed signed unsigned provisioned";
/** What a call came to, and which of the gateway's own rules says so. */
const OUTCOME_WORDS =
  "completed delivered failed refused unknown subscribed unsubscribed task_created input_required cancel_requested";
const GATEWAY_RULES =
  "cancellation input-not-requested input-schema not-in-catalog workflow-not-allowed unknown-data-class default-deny";
/** Labels and domains of this deployment. */
const LABELS = "public untrusted";
/** Whose roots vouched for a server. */
const SERVER_TRUSTS = ["webpki", "private-ca", "spiffe"];
/** Rows of a snapshot. */
const ROWS = "principal token keys forgotten-keys";

/** What a stored record may say: principals, what the catalog names, servers, workflows, decisions, rules, labels, and formats. */
export function recordWords({ servers }: Pick<Scene, "servers">): ReadonlySet<string> {
  const catalog = SERVER_ERAS.flatMap((era) => [
    templateUri(era),
    credentialName(era),
    ...OUTCOMES.flatMap((outcome) => [toolName(era, outcome), promptName(era, outcome), resourceUri(era, outcome)]),
    `${era}-tool-denied`,
    `${era}-resource-denied`,
    `${era}-prompt-denied`,
    `allow-all,${era}-redacted`,
  ]);
  return new Set([
    ...DIALECTS,
    ...catalog,
    ...Object.values(servers).map(({ url }) => url),
    ...ENTRY_TYPES,
    ...DECISIONS,
    ...EVIDENCE_CLASSES,
    ...INSPECTION_RESULTS,
    ...RECORD_KINDS,
    ...SERVER_TRUSTS,
    ...IDENTITY_FAULTS,
    ...Object.keys(ERROR_CODES),
    ...METHODS.map(({ name }) => name),
    ...[FORMATS, OUTCOME_WORDS, GATEWAY_RULES, LABELS, ROWS].flatMap((words) => words.split(" ")),
    "(unknown)",
    "default",
    "allow-all",
    ...["plain", "sealed"].map((channel) => `software-only; isolation=network-namespace; channel=${channel}`),
    "order of calls, not flow of data: a call reached to_domain after from_domain had been reached",
  ]);
}
