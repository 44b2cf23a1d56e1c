import { CmcpError, canonicalBytes, parseJson, type JsonValue, type Untrusted, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { bundleSchema, MAX_LAUNCH_DOCUMENT } from "./schema.ts";

const anything = z.custom<JsonValue>((value) => typeof value === "object" && value !== null, {
  error: "must be an array or an object",
});

const reloadSchema = z
  .strictObject({
    v: z.literal(1),
    policy_bundle: bundleSchema.optional(),
    /** The catalog file's JSON, and the versions that lead to it: their own readers check both. */
    catalog: z.strictObject({ document: anything, versions: anything }).optional(),
  })
  .refine(({ policy_bundle: bundle, catalog }) => bundle !== undefined || catalog !== undefined, {
    error: "has neither policy_bundle nor catalog",
  });

/** Another policy bundle (relative path to text), another catalog, or both, for a running enclave. */
export type Reload = z.output<typeof reloadSchema>;

const invalid = (why: string, cause?: unknown): CmcpError =>
  new CmcpError("RELOAD_INVALID", `reload message: ${why}`, { cause });

/** Canonical bytes of a reload message. */
export function buildReload({ policy_bundle: bundle, catalog }: Omit<Reload, "v">): Uint8Array<ArrayBuffer> {
  return canonicalBytes({
    v: 1,
    ...(bundle === undefined ? {} : { policy_bundle: bundle }),
    ...(catalog === undefined ? {} : { catalog }),
  });
}

/** Reads a reload message of at most {@link MAX_LAUNCH_DOCUMENT} bytes. @throws CmcpError `RELOAD_INVALID` */
export function parseReload(input: Untrusted<Uint8Array>): Reload {
  let value: unknown;
  try {
    value = parseJson(input, { maxBytes: MAX_LAUNCH_DOCUMENT, maxDepth: 80, maxItems: 1_000_000 });
  } catch (thrown) {
    throw invalid(thrown instanceof CmcpError ? thrown.message : "not JSON", thrown);
  }
  const parsed = reloadSchema.safeParse(value);
  if (!parsed.success) throw invalid(schemaProblem(parsed.error).text);
  return parsed.data;
}
