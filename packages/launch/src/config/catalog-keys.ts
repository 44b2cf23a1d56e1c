import { CmcpError } from "@cmcp/boundary";
import * as z from "zod";
import { publicKey } from "./fields.ts";

/** Most keys that approve catalogs, as `packages/catalog` has it. */
export const MAX_CATALOG_KEYS = 16;

/** Name of a key that approves catalogs, as `packages/catalog` has it. */
export const catalogKeyId = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
  error: "is 1 to 64 of a-z, 0-9, '.', '_', '-' and starts with a letter or digit",
});

/** Keys that approve catalogs, with distinct names and distinct keys: two names of one key would be two approvals of one person. */
export const catalogKeysSchema = z
  .array(
    z.strictObject({
      id: catalogKeyId.describe("Name of the key: approvals say it."),
      ed25519: publicKey.describe("Public key, base64url (`cmcp key new`)."),
    }),
  )
  .max(MAX_CATALOG_KEYS)
  .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, { error: "duplicate name of a key" })
  .refine((keys) => new Set(keys.map(({ ed25519 }) => ed25519)).size === keys.length, {
    error: "two names have one key",
  });

/** How many of the keys must approve a catalog. */
export const catalogApprovals = z.int().min(1).max(MAX_CATALOG_KEYS);

/** What the configuration says of changing the catalog. */
interface CatalogChanges {
  readonly catalog_keys?: readonly unknown[] | undefined;
  readonly catalog_approvals?: number | null | undefined;
}

/** Why no catalog could ever be approved, or nothing says how; `null` where that is not so. */
export function catalogChangeProblem({ catalog_keys: keys = [], catalog_approvals }: CatalogChanges): CmcpError | null {
  const approvals = catalog_approvals ?? null;
  const problem = (key: string, why: string): CmcpError =>
    new CmcpError("CONFIG_INVALID", `${key}: ${why}`, { detail: { key } });
  if (keys.length > 0 && approvals === null)
    return problem("enclave.catalog_approvals", "says how many of enclave.catalog_keys must approve a catalog");
  if (keys.length === 0 && approvals !== null)
    return problem("enclave.catalog_keys", "lists no key that could give enclave.catalog_approvals");
  if ((approvals ?? 0) > keys.length)
    return problem("enclave.catalog_approvals", `is ${approvals}, and enclave.catalog_keys has ${keys.length} keys`);
  return null;
}
