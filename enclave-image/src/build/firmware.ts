import { CmcpError } from "@cmcp/boundary";
import { readDeb } from "../archive/deb.ts";
import type { PackageCache } from "../lock/fetch.ts";
import { packageNamed, type InputLock } from "../lock/lock.ts";

/** Firmware that is published beside the image, by output name. */
const FIRMWARE: Readonly<Record<string, { readonly package: string; readonly path: string }>> = {
  "OVMF.amdsev.fd": { package: "ovmf-amdsev", path: "usr/share/ovmf/OVMF.amdsev.fd" },
  "OVMF.inteltdx.ms.fd": { package: "ovmf-inteltdx", path: "usr/share/ovmf/OVMF.inteltdx.ms.fd" },
  "OVMF.fd": { package: "ovmf", path: "usr/share/ovmf/OVMF.fd" },
  "OVMF_CODE_4M.fd": { package: "ovmf", path: "usr/share/OVMF/OVMF_CODE_4M.fd" },
  "OVMF_VARS_4M.fd": { package: "ovmf", path: "usr/share/OVMF/OVMF_VARS_4M.fd" },
};

/** One file of a locked package. @throws CmcpError `IMAGE_INPUT_INVALID` when the package does not have it */
export async function packageFile(
  lock: InputLock,
  cache: PackageCache,
  name: string,
  path: string,
): Promise<Uint8Array> {
  const found = (await readDeb(await cache.get(packageNamed(lock, name)))).get(path);
  if (found === undefined) throw new CmcpError("IMAGE_INPUT_INVALID", `${name} has no file ${path}`);
  return found;
}

/** Every firmware, by output name. */
export async function readFirmware(lock: InputLock, cache: PackageCache): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const [name, { package: from, path }] of Object.entries(FIRMWARE))
    found.set(name, await packageFile(lock, cache, from, path));
  return found;
}
