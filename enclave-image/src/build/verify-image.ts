import { lstatSync, readFileSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { CmcpError, untrusted } from "@cmcp/boundary";
import {
  digestOf,
  isSignedBy,
  MANIFEST,
  parseManifest,
  parseManifestSignature,
  SIGNATURE,
  type Manifest,
} from "./manifest.ts";

/** Bytes of a manifest or signature that are read at most; their parser allows less. */
const MAX_MANIFEST = 1024 * 1024;

/**
 * Holds a folder that somebody published against its manifest: every file is there with its size and hash, and no
 * other.
 *
 * @param trusted the publisher's key (32 bytes, base64url), which must have signed the manifest; `null` leaves the
 * signature alone
 * @throws CmcpError `IMAGE_MANIFEST_INVALID` for a manifest that is not valid or not of these files;
 * `IMAGE_SIGNATURE_INVALID`
 */
export function verifyImage(folder: string, trusted: string | null): Manifest {
  const bytes = readBounded(folder, MANIFEST);
  // Before anything else is believed of it.
  if (trusted !== null) verifySignature(folder, bytes, trusted);
  const manifest = parseManifest(untrusted(bytes));
  for (const [name, { sha256, size }] of Object.entries(manifest.files)) {
    const found = statOf(folder, name);
    if (found.size !== size)
      throw new CmcpError("IMAGE_MANIFEST_INVALID", `${name} has ${found.size} bytes, the manifest says ${size}`);
    const digest = digestOf(readFileSync(join(folder, name))).sha256;
    if (digest !== sha256)
      throw new CmcpError("IMAGE_MANIFEST_INVALID", `${name} has SHA-256 ${digest}, the manifest says ${sha256}`);
  }
  const stray = readdirSync(folder).find(
    (name) => name !== MANIFEST && name !== SIGNATURE && !Object.hasOwn(manifest.files, name),
  );
  if (stray !== undefined)
    throw new CmcpError("IMAGE_MANIFEST_INVALID", `${JSON.stringify(stray)} is not in the manifest`);
  return manifest;
}

function verifySignature(folder: string, manifest: Uint8Array, trusted: string): void {
  const signature = parseManifestSignature(untrusted(readBounded(folder, SIGNATURE)));
  if (!isSignedBy(manifest, signature, trusted))
    throw new CmcpError("IMAGE_SIGNATURE_INVALID", `${SIGNATURE} is not a signature of the manifest by ${trusted}`);
}

function readBounded(folder: string, name: string): Uint8Array {
  if (statOf(folder, name).size > MAX_MANIFEST)
    throw new CmcpError("IMAGE_MANIFEST_INVALID", `${name} has more than ${MAX_MANIFEST} bytes`);
  return readFileSync(join(folder, name));
}

/** Of a regular file; a link could lead anywhere. */
function statOf(folder: string, name: string): Stats {
  const found = lstatSync(join(folder, name), { throwIfNoEntry: false });
  if (found?.isFile() !== true) throw new CmcpError("IMAGE_MANIFEST_INVALID", `${name} is not a file of the folder`);
  return found;
}
