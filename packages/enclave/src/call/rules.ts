import type { Catalog } from "@cmcp/catalog";
import type { CompiledPolicy } from "@cmcp/policy";

/** What calls are decided by: a policy, and the catalog that it was compiled against. They change together. */
export interface Rules {
  readonly policy: CompiledPolicy;
  readonly catalog: Catalog;
}
