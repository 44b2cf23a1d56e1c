import * as z from "zod";
import { COMMITTED_FIELDS, type CommittedField } from "../committed-field.ts";
import type { AuditEntry } from "../entry.ts";

/** Version of what is kept of a call for auditors, and of a disclosed call. */
export const DISCLOSURE_VERSION = "cmcp-disclosure-v1";
/** Most characters of all texts of one call that are kept for auditors. A text that has no room is left out. */
export const MAX_KEPT_TEXT = 3_145_728;
/** Largest file of a disclosed call in bytes. */
export const MAX_DISCLOSED_CALL_BYTES = 33_554_432;

const disclosedField = z.strictObject({
  /** 32 bytes, lowercase hex. */
  salt: z.string().regex(/^[0-9a-f]{64}$/),
  /** The canonical JSON that was committed to. */
  text: z.string().max(MAX_KEPT_TEXT),
});

/** One call as an auditor hands it on: what was committed to, and the salts of this call alone. */
export const disclosedCallSchema = z.strictObject({
  v: z.literal(DISCLOSURE_VERSION),
  session_id: z.uuid(),
  call_id: z.string().min(1).max(256),
  /** Of the call's entry in its session. */
  sequence_number: z.int().positive(),
  fields: z.partialRecord(z.enum(COMMITTED_FIELDS), disclosedField),
});
/** One call as an auditor hands it on. */
export type DisclosedCall = z.infer<typeof disclosedCallSchema>;

/** The commitment that a call's entry has to a field; `null` for none. */
export function commitmentOf(
  entry: Pick<AuditEntry, "detail" | "request_payload_hash" | "response_payload_hash">,
  field: CommittedField,
): string | null {
  const inDetail = (name: string): string | null => {
    const value = entry.detail?.[name];
    return typeof value === "string" ? value : null;
  };
  switch (field) {
    case "request":
      return entry.request_payload_hash;
    case "response":
      return entry.response_payload_hash;
    case "upstream":
      return inDetail("upstream_response_hash");
    case "cedar":
      return inDetail("cedar_request_commitment");
    case "answers":
      return inDetail("answers_payload_hash");
  }
}
