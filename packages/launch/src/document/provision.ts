import { CmcpError, canonicalBytes, parseJson, type Untrusted } from "@cmcp/boundary";
import { z } from "zod";
import { workflowId } from "../config/fields.ts";

/** Most principals one instance serves. */
export const MAX_PROVISIONED_PRINCIPALS = 1000;
const MAX_PROVISION_BYTES = 1024 * 1024;

const principalSchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9._:@/-]{1,128}$/),
  /** Lowercase hex SHA-256 of the bearer token's bytes. */
  token_sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Workflows the principal may name; the enclave takes only those that its launch document also lists. */
  workflows: z.array(workflowId).min(1).max(256),
});

function areDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

const provisionSchema = z
  .strictObject({
    v: z.literal(1),
    principals: z.array(principalSchema).max(MAX_PROVISIONED_PRINCIPALS),
    /** Requests need no token. Accepted in development only. */
    tokenless: z.literal(true).optional(),
  })
  .refine(({ principals }) => areDistinct(principals.map(({ id }) => id)), { error: "a principal stands twice" })
  .refine(({ principals }) => areDistinct(principals.map(({ token_sha256 }) => token_sha256)), { error: "a token stands twice" })
  .refine(({ principals, tokenless }) => (tokenless === true) === (principals.length === 0), { error: "needs either principals or tokenless" });

/** Who may call. Holds hashes of tokens, never tokens, and is not part of the launch document. */
export type Provision = z.output<typeof provisionSchema>;

const invalid = (why: string, cause?: unknown): CmcpError => new CmcpError("CONFIG_INVALID", `provision message: ${why}`, { cause });

/** Reads an object of unknown shape as a provision message. Findings are named by path only, as values may be secret. */
function check(value: unknown): Provision {
  const parsed = provisionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(`${(issue?.path ?? []).join(".") || "document"}: ${issue?.code === "custom" ? issue.message : "not valid"}`);
}

/** Canonical bytes of a provision message. @throws CmcpError `CONFIG_INVALID` */
export function buildProvision(provision: Provision): Uint8Array<ArrayBuffer> {
  return canonicalBytes(check(provision));
}

/** Reads a provision message of at most 1 MiB. @throws CmcpError `CONFIG_INVALID` */
export function parseProvision(input: Untrusted<Uint8Array>): Provision {
  let value: unknown;
  try {
    value = parseJson(input, { maxBytes: MAX_PROVISION_BYTES, maxDepth: 8, maxItems: 500_000 });
  } catch (thrown) {
    throw invalid("not JSON", thrown);
  }
  return check(value);
}
