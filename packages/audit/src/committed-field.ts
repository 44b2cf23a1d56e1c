/** Bytes of a salt. */
export const SALT_BYTES = 32;

/**
 * What a call's entry commits to: the request as it leaves, all that the agent is handed, all that the server says,
 * each request to Cedar, and the agent's answers to a waiting server.
 */
export const COMMITTED_FIELDS = ["request", "response", "upstream", "cedar", "answers"] as const;
/** What a call's entry commits to. */
export type CommittedField = (typeof COMMITTED_FIELDS)[number];

/** The ASCII text that a commitment's hash begins with; the salt follows it, then the canonical JSON (RFC 8785) of what is committed to. */
export function commitmentPrefix(field: CommittedField): string {
  return `cmcp-commit-v1|${field}|`;
}
