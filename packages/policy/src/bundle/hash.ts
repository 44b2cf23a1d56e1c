import { hash } from "node:crypto";
import { canonicalBytes, type JsonObject } from "@cmcp/boundary";

/**
 * Hash of a policy bundle: `sha256:` and lowercase hex over the canonical JSON of
 * `{manifest, policy_files: {<relative path>: <hex sha256>}, schema_hash: <hex sha256>}`, where `manifest`
 * is manifest.json without its `signature`. The order of files does not matter.
 *
 * @throws CmcpError `JSON_NOT_CANONICALIZABLE` when the manifest holds what canonical JSON cannot carry.
 */
export function bundleHash(manifest: JsonObject, cedarFiles: ReadonlyMap<string, string>, schemaText: string): string {
  const { signature: _unhashed, ...hashed } = manifest;
  const policyFiles: JsonObject = {};
  for (const [path, text] of cedarFiles) policyFiles[path] = hash("sha256", text);
  return `sha256:${hash("sha256", canonicalBytes({ manifest: hashed, policy_files: policyFiles, schema_hash: hash("sha256", schemaText) }))}`;
}
