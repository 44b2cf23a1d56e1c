import { CmcpError, fromBase64Url } from "@cmcp/boundary";
import { STORAGE_KEY_BYTES } from "@cmcp/provision/message";
import { readText, type FileRole } from "./read.ts";

const ROLE: FileRole = { what: "storage key", code: "CONFIG_INVALID", maxBytes: 1024, ownerOnly: true };

/**
 * Reads a storage key, as `cmcp key new --storage` writes it: 32 bytes in base64url, in a file that its owner alone can read.
 * @returns base64url
 * @throws CmcpError `CONFIG_INVALID` naming the file, never what stands there
 */
export async function readStorageKeyFile(path: string): Promise<string> {
  const key = (await readText(path, ROLE)).trim();
  if (fromBase64Url(key)?.length === STORAGE_KEY_BYTES) return key;
  throw new CmcpError(
    "CONFIG_INVALID",
    `${path}: must be ${STORAGE_KEY_BYTES} bytes in base64url (cmcp key new --storage)`,
    {
      detail: { file: path },
    },
  );
}
