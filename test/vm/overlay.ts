import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { writeCpio, type CpioMember } from "../../enclave-image/src/archive/cpio.ts";
import { ENCLAVE_SCRIPT } from "../../scripts/enclave-bundle.ts";

export interface Overlay {
  /** Scripts by name in `/app`, as paths of sources to bundle; `enclave.cjs` is what PID 1 starts. */
  readonly scripts: Readonly<Record<string, string>>;
  /** Further files by absolute path. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

/** An initramfs with other scripts than the published one: the kernel unpacks both archives, the later over the earlier. */
export async function writeOverlaid(initramfs: string, overlay: Overlay, output: string): Promise<void> {
  const published = readFileSync(initramfs);
  const files = new Map(Object.entries(overlay.files ?? {}).map(([path, data]) => [path.slice(1), data]));
  for (const [name, source] of Object.entries(overlay.scripts)) files.set(`app/${name}`, await bundle(source));
  const folders = new Set(
    [...files.keys()].flatMap((path) =>
      path
        .split("/")
        .slice(0, -1)
        .map((_, depth, parts) => parts.slice(0, depth + 1).join("/")),
    ),
  );
  const members: CpioMember[] = [
    ...[...folders].map((path): CpioMember => ({ kind: "directory", path, mode: 0o555 })),
    ...[...files].map(([path, data]): CpioMember => ({ kind: "file", path, mode: 0o444, data })),
  ];
  // An archive begins at a multiple of four.
  writeFileSync(output, Buffer.concat([published, Buffer.alloc((4 - (published.length % 4)) % 4), writeCpio(members)]));
}

async function bundle(source: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    ...ENCLAVE_SCRIPT,
    entryPoints: [join(import.meta.dirname, "guest", source)],
    outdir: import.meta.dirname,
    write: false,
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`nothing came of ${source}`);
  return file.contents;
}
