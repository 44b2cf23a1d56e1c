import { auditEntrySchema, isUntrusted, sessionLabelsOf, type AuditEntry } from "@cmcp/audit";
import {
  canonicalText,
  CmcpError,
  isJsonObject,
  parseJson,
  schemaProblem,
  untrusted,
  type JsonValue,
} from "@cmcp/boundary";
import { governedMethod, plainRequest } from "@cmcp/mcp";
import { MAX_BUNDLE_BYTES } from "@cmcp/verify";
import { hash } from "node:crypto";
import { MalformedInput } from "../malformed-input.ts";
import type { SavedCall } from "./saved-call.ts";

/** A call as its session's export has it. */
export interface RecordedCall {
  readonly entry: AuditEntry;
  /** The session's first entry, with the catalog and mode it ran under. */
  readonly root: AuditEntry;
  /** Every label that the session had when the call was decided; `*` stands for all. */
  readonly labelsBefore: readonly string[];
  readonly untrustedBefore: boolean;
}

const LIMITS = { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 16, maxItems: 20_000_000 };

function malformed(why: string, cause?: unknown): MalformedInput {
  return new MalformedInput("CLAIM_MALFORMED", `audit bundle: ${why}`, { cause });
}

function entryAt(raw: unknown, what: string): AuditEntry {
  const parsed = auditEntrySchema.safeParse(raw);
  if (!parsed.success) throw malformed(`${what}: ${schemaProblem(parsed.error).text}`);
  return parsed.data;
}

/**
 * Finds a call in an audit export. Nothing is verified: `cmcp audit verify` does that.
 * @throws MalformedInput for what is no audit bundle
 * @throws CmcpError `USAGE` if no call has this id
 */
export function findRecordedCall(bytes: Uint8Array<ArrayBuffer>, callId: string): RecordedCall {
  let value: JsonValue;
  try {
    value = parseJson(untrusted(bytes), LIMITS);
  } catch (thrown) {
    throw malformed("not JSON", thrown);
  }
  const raw: unknown = isJsonObject(value) ? value["entries"] : undefined;
  if (!Array.isArray(raw) || raw.length === 0) throw malformed("it has no entries");
  const entries: readonly unknown[] = raw;
  const at = entries.findIndex(
    (one) =>
      typeof one === "object" &&
      one !== null &&
      "call_id" in one &&
      one.call_id === callId &&
      "entry_type" in one &&
      one.entry_type === "tool_call",
  );
  if (at < 0)
    throw new CmcpError("USAGE", `no call of the audit bundle has the id ${JSON.stringify(callId.slice(0, 64))}`);
  const earlier = entries.slice(0, at).map((one, index) => entryAt(one, `entry ${index}`));
  const [root] = earlier;
  if (root?.entry_type !== "session_start") throw malformed("it does not begin with session_start");
  const before = earlier.findLast(({ session_sensitivity_after: label }) => label !== null);
  return {
    entry: entryAt(entries[at], "the call's entry"),
    root,
    labelsBefore: before === undefined ? [] : sessionLabelsOf(before),
    untrustedBefore: before !== undefined && isUntrusted(before),
  };
}

/**
 * A saved call with what the record holds of it in place of what its file says: tool, workflow, labels, integrity, mode and identity.
 * @throws CmcpError `USAGE` if the file is about another tool
 */
export function withRecord(saved: SavedCall, { entry, root, labelsBefore, untrustedBefore }: RecordedCall): SavedCall {
  if (saved.tool !== entry.tool_name)
    throw new CmcpError("USAGE", `--request is about the tool ${saved.tool}, and the recorded call about another`);
  const { session_max_sensitivity: _, ...rest } = saved;
  const principal = root.detail?.["principal"];
  const mode = root.detail?.["enforcement_mode"];
  return {
    ...rest,
    workflow: entry.workflow_id ?? saved.workflow,
    principal: typeof principal === "string" ? principal : saved.principal,
    enforcement_mode: mode === "advisory" || mode === "silent" ? mode : "enforcing",
    integrity: untrustedBefore ? "untrusted" : "trusted",
    compartments: labelsBefore.filter((label) => label !== "*"),
    ...(entry.session_sensitivity_before === null ? {} : { session_sensitivity: entry.session_sensitivity_before }),
  };
}

/** Whether payload hashes of the call's session are salted commitments. */
export function isSalted({ root }: RecordedCall): boolean {
  return root.detail?.["commitments"] === "salted";
}

/** `request_payload_hash`, in a session without salts, of a call that sends these arguments and nothing else. */
export function requestHashOf({ tool, arguments: args }: SavedCall): string {
  const method = "tools/call";
  const request = { ...plainRequest(method, tool), arguments: args };
  const params = governedMethod(method).upstream({ request, taskId: null, input: null });
  return `sha256:${hash("sha256", canonicalText({ method, params }), "hex")}`;
}
