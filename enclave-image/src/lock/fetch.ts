import { hash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import type { LockedPackage } from "./lock.ts";

/** Milliseconds a source may take for one package. */
const DOWNLOAD_MS = 300_000;

/**
 * Packages by hash in a folder. What is found there is hashed again each time, so that neither a mirror nor an
 * earlier run decides what goes into an image.
 */
export class PackageCache {
  readonly #folder: string;
  readonly #sourcesOf: (entry: LockedPackage) => readonly string[];

  constructor(folder: string, sourcesOf: (entry: LockedPackage) => readonly string[]) {
    this.#folder = folder;
    this.#sourcesOf = sourcesOf;
  }

  /**
   * The bytes of a package.
   *
   * @throws CmcpError `IMAGE_INPUT_MISMATCH` when a source has other bytes under that name and none has the right ones;
   * `IMAGE_INPUT_UNAVAILABLE` when no source has it
   */
  async get(entry: LockedPackage): Promise<Uint8Array> {
    const path = this.pathOf(entry);
    const cached = readOptional(path);
    if (cached !== null && digest(cached) === entry.sha256) return cached;
    const failures: string[] = [];
    let mismatch = false;
    for (const source of this.#sourcesOf(entry)) {
      const outcome = await download(source, entry.size);
      if (typeof outcome === "string") {
        failures.push(`${source}: ${outcome}`);
        continue;
      }
      const found = digest(outcome);
      if (found === entry.sha256) {
        this.#keep(path, outcome);
        return outcome;
      }
      mismatch = true;
      failures.push(`${source}: SHA-256 is ${found}`);
    }
    const wanted = `${entry.name} ${entry.version}, SHA-256 ${entry.sha256}`;
    throw new CmcpError(
      mismatch ? "IMAGE_INPUT_MISMATCH" : "IMAGE_INPUT_UNAVAILABLE",
      `no source has ${wanted}\n  ${failures.join("\n  ")}`,
    );
  }

  /** Where a package is once it was fetched. */
  pathOf(entry: LockedPackage): string {
    return join(this.#folder, `${entry.name}_${entry.sha256}.deb`);
  }

  #keep(path: string, bytes: Uint8Array): void {
    mkdirSync(this.#folder, { recursive: true });
    const partial = `${path}.${process.pid}`;
    try {
      writeFileSync(partial, bytes);
      renameSync(partial, path);
    } finally {
      rmSync(partial, { force: true });
    }
  }
}

function digest(bytes: Uint8Array): string {
  return hash("sha256", bytes);
}

function readOptional(path: string): Uint8Array | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

/** The body behind a URL, or why there is none. Never more than `size` bytes are taken. */
async function download(url: string, size: number): Promise<Uint8Array | string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_MS) });
    if (!response.ok || response.body === null) return `HTTP ${response.status}`;
    const chunks: Uint8Array[] = [];
    let taken = 0;
    for await (const chunk of response.body) {
      taken += chunk.length;
      if (taken > size) return `more than the ${size} bytes of the lock file`;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (thrown) {
    const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
    return cause instanceof Error ? cause.message : "the download failed";
  }
}
