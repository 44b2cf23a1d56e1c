import { readDeb } from "../../enclave-image/src/archive/deb.ts";
import { unxz } from "../../enclave-image/src/archive/xz/unxz.ts";
import { moduleList, readKernel } from "../../enclave-image/src/build/kernel.ts";
import { openInputs } from "../../enclave-image/src/lock/inputs.ts";
import { packageNamed } from "../../enclave-image/src/lock/lock.ts";
import { CACHE } from "./image.ts";

const MAX_MODULE = 1024 * 1024;

/** Files that give a guest its own loopback on vsock (CID 1), which no published image has. */
export async function loopbackFiles(): Promise<Record<string, Uint8Array>> {
  const { lock, cache } = openInputs(CACHE);
  const deb = await cache.get(packageNamed(lock, "linux-image-cloud-amd64"));
  const packed = readDeb(deb).find(({ path }) => path.endsWith("/vsock_loopback.ko.xz"));
  if (packed?.kind !== "file") throw new Error("the kernel's package has no vsock loopback");
  return {
    "/lib/modules/vsock_loopback.ko": unxz(packed.data, MAX_MODULE),
    "/etc/cmcp/modules": Buffer.from(`${moduleList(readKernel(deb).modules)}all /lib/modules/vsock_loopback.ko\n`),
  };
}
