import { basename, dirname } from "node:path";
import type { TsmFiles } from "../files.ts";

/** What a provider driver does with a request. Throws what the kernel would: an Error with `code`. */
export interface TsmDriver {
  readonly provider: string;
  readonly privilegeFloor?: number;
  report(inblob: Uint8Array, privilegeLevel: number): { outblob: Uint8Array; auxblob?: Uint8Array };
}

interface Entry {
  inblob: Uint8Array | null;
  privilegeLevel: number;
  writeGeneration: number;
  readGeneration: number;
  made: { outblob: Uint8Array; auxblob?: Uint8Array } | null;
}

/** An error as Node raises it for a system call. */
export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/**
 * configfs-tsm as the kernel's ABI text and driver behave (Documentation/ABI/testing/configfs-tsm-report,
 * drivers/virt/coco/guest/report.c), played in memory: no test can mount configfs without a driver behind it. Folders
 * are made by name once; `inblob` takes at most 64 bytes, which count when the file is closed, one write alone; a
 * report is made on the first read after a write; every option written advances `generation`.
 */
export class FakeKernel implements TsmFiles {
  readonly folder: string;
  readonly #driver: TsmDriver;
  readonly entries = new Map<string, Entry>();
  /** Every operation in order, for tests of what was and was not done. */
  readonly operations: string[] = [];
  /** Called before each operation; a test makes the kernel busy or meddles through it. */
  before: (operation: string, entry: Entry | undefined) => void = () => undefined;

  constructor(driver: TsmDriver, folder = "/played/tsm/report") {
    this.#driver = driver;
    this.folder = folder;
  }

  makeDirectory(path: string): Promise<void> {
    return this.#operate(`mkdir ${basename(path)}`, () => {
      if (dirname(path) !== this.folder) throw systemError("ENOENT");
      if (this.entries.has(basename(path))) throw systemError("EEXIST");
      this.entries.set(basename(path), {
        inblob: null,
        privilegeLevel: 0,
        writeGeneration: 0,
        readGeneration: 0,
        made: null,
      });
    });
  }

  removeDirectory(path: string): Promise<void> {
    return this.#operate(`rmdir ${basename(path)}`, () => {
      if (!this.entries.delete(basename(path))) throw systemError("ENOENT");
    });
  }

  write(path: string, bytes: Uint8Array): Promise<void> {
    return this.#operate(`write ${basename(path)}`, () => this.put(this.#entry(path), basename(path), bytes), path);
  }

  read(path: string, limit: number): Promise<Uint8Array> {
    return this.#operate(
      `read ${basename(path)}`,
      () => this.#get(this.#entry(path), basename(path)).slice(0, limit + 1),
      path,
    );
  }

  /** An option as the driver stores it; also what somebody else's write into the same folder does. */
  put(entry: Entry, attribute: string, bytes: Uint8Array): void {
    if (attribute === "privlevel") {
      const level = Number(new TextDecoder().decode(bytes));
      if (level < (this.#driver.privilegeFloor ?? 0) || level > 3) throw systemError("EINVAL");
      entry.privilegeLevel = level;
    } else if (attribute === "inblob") {
      // More than the attribute holds is refused at the write; what the driver refuses when the file is closed, nobody hears of.
      if (bytes.length > 64) throw systemError("EFBIG");
      entry.inblob = bytes.slice();
    } else {
      throw systemError("EACCES");
    }
    entry.writeGeneration += 1;
  }

  #get(entry: Entry, attribute: string): Uint8Array {
    const text = (value: string | number): Uint8Array => new TextEncoder().encode(`${value}\n`);
    if (attribute === "provider") return text(this.#driver.provider);
    if (attribute === "generation") return text(entry.writeGeneration);
    if (attribute === "privlevel_floor" && this.#driver.privilegeFloor !== undefined)
      return text(this.#driver.privilegeFloor);
    if (attribute !== "outblob" && attribute !== "auxblob")
      throw systemError(attribute === "inblob" ? "EACCES" : "ENOENT");
    if (entry.inblob === null || entry.inblob.length !== 64) throw systemError("EINVAL");
    if (entry.made === null || entry.readGeneration !== entry.writeGeneration) {
      entry.made = this.#driver.report(entry.inblob, entry.privilegeLevel);
      entry.readGeneration = entry.writeGeneration;
    }
    return attribute === "outblob" ? entry.made.outblob : (entry.made.auxblob ?? new Uint8Array());
  }

  #entry(path: string): Entry {
    const entry = this.entries.get(basename(dirname(path)));
    if (entry === undefined) throw systemError("ENOENT");
    return entry;
  }

  async #operate<T>(operation: string, run: () => T, path?: string): Promise<T> {
    await Promise.resolve();
    this.operations.push(operation);
    this.before(operation, path === undefined ? undefined : this.entries.get(basename(dirname(path))));
    return run();
  }
}
