import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CpioMember } from "../archive/cpio.ts";
import { moduleList, type Kernel } from "./kernel.ts";
import type { NativePrograms } from "./native.ts";

/** The shared libraries Node is linked with. */
const LIBRARIES = [
  "libc.so.6",
  "libdl.so.2",
  "libgcc_s.so.1",
  "libm.so.6",
  "libpthread.so.0",
  "libstdc++.so.6",
] as const;
/** What `make build` bundles for the enclave. */
const BUNDLE = ["enclave.cjs", "policy-worker.cjs", "cedar_wasm_bg.wasm"] as const;
/** Mount points, and the folders of the files. */
const FOLDERS = [
  "app",
  "bin",
  "dev",
  "etc",
  "etc/cmcp",
  "lib",
  "lib/cmcp",
  "lib/modules",
  "lib/x86_64-linux-gnu",
  "lib64",
  "proc",
  "run",
  "sys",
  "usr",
] as const;

/** Where the parts of the image's root come from. */
export interface RootParts {
  readonly kernel: Kernel;
  readonly native: NativePrograms;
  /** File system with {@link nodeFiles}, which PID 1 mounts at `/usr`. */
  readonly nodeImage: Uint8Array;
  /** Folder of the unpacked C library packages. */
  readonly libraries: string;
  /** Folder of the bundled enclave. */
  readonly bundle: string;
}

/**
 * Every file and folder of the initramfs. Nothing is writable; what may be executed is PID 1, the helper, the spawner
 * and shared objects.
 */
export function rootFiles({ kernel, native, nodeImage, libraries, bundle }: RootParts): CpioMember[] {
  const plain = (path: string, data: Uint8Array): CpioMember => ({ kind: "file", path, mode: 0o444, data });
  const program = (path: string, data: Uint8Array): CpioMember => ({ kind: "file", path, mode: 0o555, data });
  return [
    ...FOLDERS.map((path): CpioMember => ({ kind: "directory", path, mode: 0o555 })),
    program("init", native.init),
    program("bin/helper", native.helper),
    program("bin/cmcp-spawn", native.spawner),
    program("lib64/ld-linux-x86-64.so.2", readFileSync(join(libraries, "ld-linux-x86-64.so.2"))),
    ...LIBRARIES.map((name) => plain(`lib/x86_64-linux-gnu/${name}`, readFileSync(join(libraries, name)))),
    plain("lib/cmcp/vsock.node", native.vsock),
    plain("lib/cmcp/node.erofs", nodeImage),
    plain("etc/cmcp/modules", Buffer.from(moduleList(kernel.modules))),
    ...kernel.modules.map(({ name, data }) => plain(`lib/modules/${name}.ko`, data)),
    ...BUNDLE.map((name) => plain(`app/${name}`, readFileSync(join(bundle, name)))),
  ];
}

/**
 * What {@link RootParts.nodeImage} holds. A folder there is as on any system: the file system itself is never written
 * to.
 */
export function nodeFiles(node: Uint8Array): CpioMember[] {
  return [
    { kind: "directory", path: "bin", mode: 0o755 },
    { kind: "file", path: "bin/node", mode: 0o555, data: node },
  ];
}
