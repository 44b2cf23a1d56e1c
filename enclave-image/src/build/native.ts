import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Toolchain } from "./toolchain.ts";

/** Where the C sources are. */
const SOURCES = fileURLToPath(new URL("../../native", import.meta.url));
const SPAWNER = fileURLToPath(new URL("../../../packages/spawner/native", import.meta.url));

const GCC = "usr/lib/gcc/x86_64-linux-gnu/14";
const LIBC = "usr/lib/x86_64-linux-gnu";

const CFLAGS = [
  "-std=gnu17",
  "-O2",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-fstack-protector-strong",
  "-fstack-clash-protection",
  "-fcf-protection=full",
  "-fno-strict-aliasing",
  "-ftrivial-auto-var-init=zero",
  "-D_FORTIFY_SOURCE=3",
] as const;
const LDFLAGS = [
  "-m",
  "elf_x86_64",
  "--strip-all",
  "--build-id=none",
  "--hash-style=gnu",
  "-z",
  "relro",
  "-z",
  "now",
  "-z",
  "noexecstack",
  "-z",
  "separate-code",
] as const;

/** The programs the image holds beside Node, as bytes. */
export interface NativePrograms {
  readonly init: Uint8Array;
  readonly helper: Uint8Array;
  readonly spawner: Uint8Array;
  readonly vsock: Uint8Array;
}

/**
 * Compiles PID 1, the helper, the spawner and the vsock addon.
 * @throws CmcpError `IMAGE_BUILD_FAILED` with the compiler's message
 */
export function buildNative(toolchain: Toolchain, nodePackage: string, work: string): NativePrograms {
  const source = (name: string): string => join(SOURCES, name);
  return {
    init: compileStatic(toolchain, [source("init.c"), source("seccomp.c"), source("spawner.c")], join(work, "init")),
    helper: compileStatic(toolchain, [source("helper.c")], join(work, "helper")),
    spawner: compileStatic(toolchain, sourcesOf(SPAWNER), join(work, "spawner")),
    vsock: compileAddon(toolchain, source("vsock.c"), nodePackage, join(work, "vsock")),
  };
}

/** The C sources of a folder, in one order. */
function sourcesOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".c"))
    .toSorted()
    .map((name) => join(folder, name));
}

/** Compiles one source to an object file whose bytes do not depend on where anything lies. */
function compile(toolchain: Toolchain, work: string, source: string, flags: readonly string[]): string {
  mkdirSync(work, { recursive: true });
  const name = basename(source, ".c");
  const [assembly, object] = [join(work, `${name}.s`), join(work, `${name}.o`)];
  const headers = [`${GCC}/include`, "usr/include/x86_64-linux-gnu", "usr/include"].flatMap((folder) => [
    "-isystem",
    join(toolchain.root, folder),
  ]);
  toolchain.run(
    "usr/libexec/gcc/x86_64-linux-gnu/14/cc1",
    ["-quiet", "-nostdinc", ...headers, ...CFLAGS, ...flags, basename(source), "-o", assembly],
    { cwd: dirname(source) },
  );
  toolchain.run("usr/bin/x86_64-linux-gnu-as", ["--64", "-o", object, assembly], { cwd: work });
  return object;
}

/**
 * Compiles a program that needs nothing but the kernel: position-independent and static.
 * @throws CmcpError `IMAGE_BUILD_FAILED`
 */
export function compileStatic(toolchain: Toolchain, sources: readonly string[], work: string): Uint8Array {
  const objects = sources.map((source) => compile(toolchain, work, source, ["-fPIE"]));
  const [libc, gcc] = [join(toolchain.root, LIBC), join(toolchain.root, GCC)];
  const start = [join(libc, "rcrt1.o"), join(libc, "crti.o"), join(gcc, "crtbeginS.o")];
  const libraries = [
    "--start-group",
    join(gcc, "libgcc.a"),
    join(gcc, "libgcc_eh.a"),
    join(libc, "libc.a"),
    "--end-group",
  ];
  return link(toolchain, work, "program", [
    "-static",
    "-pie",
    "--no-dynamic-linker",
    "-z",
    "text",
    ...start,
    ...objects,
    ...libraries,
    join(gcc, "crtendS.o"),
    join(libc, "crtn.o"),
  ]);
}

/** A shared object. What it takes from Node-API and libuv, the program that loads it has. */
function compileAddon(toolchain: Toolchain, source: string, nodePackage: string, work: string): Uint8Array {
  const object = compile(toolchain, work, source, [
    "-fPIC",
    "-DNAPI_VERSION=8",
    "-isystem",
    join(nodePackage, "include/node"),
  ]);
  const [libc, gcc] = [join(toolchain.root, LIBC), join(toolchain.root, GCC)];
  const start = [join(libc, "crti.o"), join(gcc, "crtbeginS.o")];
  return link(toolchain, work, "addon", [
    "-shared",
    "-soname",
    "vsock.node",
    ...start,
    object,
    join(libc, "libc.so.6"),
    join(gcc, "libgcc.a"),
    join(gcc, "crtendS.o"),
    join(libc, "crtn.o"),
  ]);
}

function link(toolchain: Toolchain, work: string, name: string, args: readonly string[]): Uint8Array {
  const output = join(work, name);
  toolchain.run("usr/bin/x86_64-linux-gnu-ld", [...LDFLAGS, "-o", output, ...args], { cwd: work });
  return readFileSync(output);
}
