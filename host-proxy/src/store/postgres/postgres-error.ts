import { CmcpError } from "@cmcp/boundary";

/** Why PostgreSQL fails, in fixed words, by SQLSTATE (appendix A of its manual) or the class that begins it. */
const REASONS: Readonly<Record<string, string>> = {
  "08": "it cannot be reached",
  "28": "it refuses the user or the password",
  "3D000": "the database does not exist",
  "25006": "it is read-only",
  "42501": "the user may not do this",
  "42": "its tables are not those of this version",
  "53100": "the disk is full",
  "53300": "it has no connection left",
  "53": "it has no resources left",
  "57014": "it answers too slowly",
  "57": "it is stopping or starting",
  "58": "input or output error",
  XX: "its data are damaged",
};

/** The same of failures of the connection, by Node's code. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
]);

/** What pg says where there is no code. */
const TEXTS: readonly (readonly [text: RegExp, reason: string])[] = [
  [/timeout/i, "it answers too slowly"],
  [/terminated|closed|ended|end on the pool/i, "it cannot be reached"],
];

/** A failure of pg, or of the server, as the store's error. Its text, which may name data, stays in `cause`. */
export function postgresError(thrown: unknown): CmcpError {
  if (thrown instanceof CmcpError) return thrown;
  return new CmcpError("AUDIT_STORE_UNAVAILABLE", `the audit store (PostgreSQL) failed: ${reasonOf(thrown)}`, {
    cause: thrown,
  });
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "input or output error";
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
  if (UNREACHABLE.has(code)) return "it cannot be reached";
  const known = REASONS[code] ?? REASONS[code.slice(0, 2)];
  return known ?? TEXTS.find(([text]) => text.test(thrown.message))?.[1] ?? "input or output error";
}
