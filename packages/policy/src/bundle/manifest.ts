import { CmcpError, isJsonObject, parseJsonText, type JsonObject, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { readHistory, type HistoryDeclaration } from "./history.ts";
import { MAX_FILE_LENGTH } from "./limits.ts";

const text = z.string().max(1024);

// Loose: what else a manifest carries is hashed with it, and older bundles carry more.
const manifestSchema = z.looseObject({
  version: text.min(1),
  authored_at: text,
  author_identity: text,
  commit_sha: text,
  approval_chain: z.array(z.record(z.string(), z.json())).max(64).optional(),
  signature: text.optional(),
});

const REQUIRED = ["version", "authored_at", "author_identity", "commit_sha"] as const;
const LIMITS = { maxBytes: MAX_FILE_LENGTH, maxDepth: 16, maxItems: 4096 };

/** Reads manifest.json. @throws CmcpError `POLICY_BUNDLE_INVALID`, or a `JSON_*` code when it is not strict JSON. */
export function readManifest(source: string): {
  manifest: JsonObject;
  version: string;
  history: readonly HistoryDeclaration[];
} {
  const manifest = parseJsonText(source, LIMITS);
  if (!isJsonObject(manifest)) throw new CmcpError("POLICY_BUNDLE_INVALID", "manifest.json is not an object");
  const missing = REQUIRED.filter((field) => manifest[field] === undefined);
  if (missing.length > 0) throw new CmcpError("POLICY_BUNDLE_INVALID", `manifest.json has no ${missing.join(", ")}`);
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success)
    throw new CmcpError("POLICY_BUNDLE_INVALID", `manifest.json: ${schemaProblem(parsed.error).text}`);
  return { manifest, version: parsed.data.version, history: readHistory(manifest) };
}
