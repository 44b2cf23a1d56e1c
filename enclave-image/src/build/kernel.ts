import { basename } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { readDeb } from "../archive/deb.ts";
import { unxz } from "../archive/xz.ts";
import type { Platform } from "./command-line.ts";

/** The modules of the image in the order PID 1 loads them, each after those it depends on. */
const MODULES: readonly { readonly path: string; readonly platforms: readonly Platform[] | "all" }[] = [
  { path: "kernel/lib/libcrc32c.ko", platforms: "all" },
  { path: "kernel/fs/erofs/erofs.ko", platforms: "all" },
  { path: "kernel/net/vmw_vsock/vsock.ko", platforms: "all" },
  { path: "kernel/net/vmw_vsock/vmw_vsock_virtio_transport_common.ko", platforms: "all" },
  { path: "kernel/net/vmw_vsock/vmw_vsock_virtio_transport.ko", platforms: "all" },
  { path: "kernel/fs/configfs/configfs.ko", platforms: ["sev-snp", "tdx"] },
  { path: "kernel/drivers/virt/coco/tsm.ko", platforms: ["sev-snp", "tdx"] },
  { path: "kernel/drivers/virt/coco/sev-guest/sev-guest.ko", platforms: ["sev-snp"] },
  { path: "kernel/drivers/virt/coco/tdx-guest/tdx-guest.ko", platforms: ["tdx"] },
];

/** A kernel module, unpacked; its signature is part of its bytes. */
export interface KernelModule {
  readonly name: string;
  readonly platforms: readonly Platform[] | "all";
  readonly data: Uint8Array;
}

/** What the image takes from the kernel's package. */
export interface Kernel {
  /** As `uname -r` says it. */
  readonly release: string;
  /** The bzImage as distributed, signed for EFI. */
  readonly image: Uint8Array;
  readonly modules: readonly KernelModule[];
}

/** Takes kernel and modules out of Debian's package. @throws CmcpError `IMAGE_INPUT_INVALID` when one is missing */
export async function readKernel(deb: Uint8Array): Promise<Kernel> {
  const files = await readDeb(deb);
  const path = [...files.keys()].find((name) => name.startsWith("boot/vmlinuz-"));
  const image = path === undefined ? undefined : files.get(path);
  if (path === undefined || image === undefined)
    throw new CmcpError("IMAGE_INPUT_INVALID", "the kernel's package has no kernel");
  const release = path.slice("boot/vmlinuz-".length);
  const unpacked = async ({ path, platforms }: (typeof MODULES)[number]): Promise<KernelModule> => {
    const packed = files.get(`usr/lib/modules/${release}/${path}.xz`);
    if (packed === undefined) throw new CmcpError("IMAGE_INPUT_INVALID", `the kernel's package has no module ${path}`);
    return { name: basename(path, ".ko"), platforms, data: await unxz(packed) };
  };
  const modules = await Promise.all(MODULES.map(unpacked));
  assertOrder(modules);
  return { release, image, modules };
}

/** PID 1 resolves no dependencies: whatever a module names must be before it, and on the same platforms. */
export function assertOrder(modules: readonly KernelModule[]): void {
  for (const [index, { name, platforms, data }] of modules.entries()) {
    const covers = (earlier: KernelModule): boolean =>
      earlier.platforms === "all" ||
      (platforms !== "all" && platforms.every((platform) => earlier.platforms.includes(platform)));
    const loaded = new Set(
      modules
        .slice(0, index)
        .filter(covers)
        .map((earlier) => earlier.name.replaceAll("-", "_")),
    );
    for (const needed of dependencies(data)) {
      if (!loaded.has(needed))
        throw new CmcpError("IMAGE_INPUT_INVALID", `module ${name} needs ${needed}, which is not loaded before it`);
    }
  }
}

/** The `depends=` line of a module's `.modinfo` section: module names between commas. */
function dependencies(module: Uint8Array): string[] {
  const text = Buffer.from(module.buffer, module.byteOffset, module.byteLength).toString("latin1");
  return (/\0depends=([^\0]*)\0/.exec(text)?.[1] ?? "")
    .split(",")
    .filter((name) => name !== "")
    .map((name) => name.replaceAll("-", "_"));
}

/** The list PID 1 reads: a line for each platform that loads a module, in order. */
export function moduleList(modules: readonly KernelModule[]): string {
  const lines = modules.flatMap(({ name, platforms }) =>
    (platforms === "all" ? ["all"] : platforms).map((platform) => `${platform} /lib/modules/${name}.ko`),
  );
  return `${lines.join("\n")}\n`;
}
