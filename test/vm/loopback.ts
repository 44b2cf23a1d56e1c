import { readDeb } from "../../enclave-image/src/archive/deb.ts";
import { unxz } from "../../enclave-image/src/archive/xz.ts";
import { moduleList, readKernel } from "../../enclave-image/src/build/kernel.ts";
import { openInputs } from "../../enclave-image/src/lock/inputs.ts";
import { packageNamed } from "../../enclave-image/src/lock/lock.ts";
import { CACHE } from "./image.ts";

/** Files that give a guest its own loopback on vsock (CID 1), which no published image has. */
export async function loopbackFiles(): Promise<Record<string, Uint8Array>> {
  const { lock, cache } = openInputs(CACHE);
  const deb = await cache.get(packageNamed(lock, "linux-image-cloud-amd64"));
  const [, packed] = [...(await readDeb(deb))].find(([path]) => path.endsWith("/vsock_loopback.ko.xz")) ?? [];
  if (packed === undefined) throw new Error("the kernel's package has no vsock loopback");
  return {
    "/lib/modules/vsock_loopback.ko": await unxz(packed),
    "/etc/cmcp/modules": Buffer.from(
      `${moduleList((await readKernel(deb)).modules)}all /lib/modules/vsock_loopback.ko\n`,
    ),
  };
}
