import { hash } from "node:crypto";
import { CmcpError, fromBase64Url, untrusted } from "@cmcp/boundary";
import { readAnchorFile, type ManifestAnchor } from "@cmcp/manifest";
import { readFileOf } from "../read-file.ts";

/** The keys of a trust anchor file. @throws CmcpError `CONFIG_INVALID`, also for a key id that is another key's */
export async function anchorsIn(path: string): Promise<readonly ManifestAnchor[]> {
  return readAnchorFile(untrusted(await readFileOf(path))).map(({ anchor, keyId }) => {
    const own = hash("sha256", fromBase64Url(anchor.public_key) ?? new Uint8Array());
    if (keyId === null || keyId === own) return anchor;
    throw new CmcpError("CONFIG_INVALID", `${path}: trust anchors: ${keyId} is not the SHA-256 of its key`);
  });
}
