import { copyFile, mkdir, readdir, realpath, writeFile } from "node:fs/promises";
import { delimiter, basename, dirname, join } from "node:path";
import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { interpreterFiles } from "@cmcp/spawner/host";
import { readAtMost } from "../read-file.ts";
import { withLoader } from "./elf.ts";

/** Largest program, in bytes. */
const MAX_PROGRAM_BYTES = 256 * 1024 * 1024;
const EXECUTABLE = 0o755;
/** Libraries of the C library that packages may expect beside it (PEP 600), though few systems list them any more. */
const OF_THE_C_LIBRARY = ["libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2", "libz.so.1"];

/** The shared libraries of a tree, and its loader. */
export class SharedLibraries {
  readonly #folder: string;
  readonly #copied = new Set<string>();

  /** @param tree in which they stand in `lib` */
  constructor(tree: string) {
    this.#folder = join(tree, "lib");
  }

  /** The tree's loader, once a library was added. @throws CmcpError `SPAWN_UNAVAILABLE` where there is none */
  get loader(): string {
    const name = [...this.#copied].find((one) => /^ld-linux.*\.so\.\d+$/.test(one));
    if (name === undefined) throw new CmcpError("SPAWN_UNAVAILABLE", "this machine's loader is not known");
    return join(this.#folder, name);
  }

  async #copy(path: string): Promise<void> {
    const name = basename(path);
    if (this.#copied.has(name)) return;
    this.#copied.add(name);
    await copyFile(await realpath(path), join(this.#folder, name));
  }

  /**
   * Adds what a program or library of this machine needs.
   * @throws CmcpError `SPAWN_UNAVAILABLE` where that cannot be told
   */
  async addFor(path: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const needed = (await interpreterFiles(path)).filter((file) => file !== path);
    for (const file of needed) await this.#copy(file);
  }

  /** Adds the C library's further libraries that stand beside `path`, which is one of it. */
  async addOfCLibrary(): Promise<void> {
    const node = await realpath(process.execPath);
    await this.addFor(node);
    const libc = (await interpreterFiles(node)).find((file) => basename(file) === "libc.so.6");
    if (libc === undefined) return;
    const there = await readdir(dirname(libc));
    for (const name of OF_THE_C_LIBRARY) if (there.includes(name)) await this.#copy(join(dirname(libc), name));
  }

  /** Copies a program of this machine to `to`, with its libraries, to be run by the tree's own loader. */
  async addProgram(from: string, to: string): Promise<void> {
    await this.addFor(from);
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, withLoader(await readAtMost(MAX_PROGRAM_BYTES, from), this.loader), { mode: EXECUTABLE });
  }
}

/** The real path of a program of this machine, by its name. @throws CmcpError `PROGRAM_MISSING` */
export async function programOnPath(name: string): Promise<string> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(name)) break;
    const found = await realpath(join(folder, name)).catch(() => null);
    if (found !== null) return found;
  }
  throw new CmcpError("PROGRAM_MISSING", `${JSON.stringify(name)} is not a program on the PATH of this machine`);
}
