import type { ErrorCode } from "@cmcp/boundary";

/** What the spawner says of a server or a start, by its number on the wire (SPEC.md, "Statuses"). */
export const STATUSES = [
  "ready",
  "no-entry",
  "digest-mismatch",
  "tree-refused",
  "tree-unreadable",
  "not-confined",
  "busy",
  "malformed",
  "no-program",
] as const;
export type Status = (typeof STATUSES)[number];

/** The code and words for a status that is not `ready`. */
export const STATUS_ERRORS: Readonly<Record<Exclude<Status, "ready">, readonly [ErrorCode, string]>> = {
  "no-entry": ["INTERNAL", "the spawner was asked for a server its table does not have"],
  "digest-mismatch": ["SPAWN_DIGEST_MISMATCH", "the stdio server's files do not have the digest the catalog records"],
  "tree-refused": [
    "SPAWN_TREE_REFUSED",
    "the stdio server's folder holds special files or links that lead out, or exceeds the bounds",
  ],
  "tree-unreadable": [
    "SPAWN_TREE_REFUSED",
    "the stdio server's folder is missing, cannot be read, or changed while it was read",
  ],
  "not-confined": ["SPAWN_FAILED", "the stdio server could not be confined"],
  busy: ["OVERLOADED", "the spawner runs as many servers as it may"],
  malformed: ["INTERNAL", "the spawner did not understand the request"],
  "no-program": ["SPAWN_FAILED", "the stdio server's program is not an interpreter of this machine"],
};
