import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import { REPORT_DATA_BYTES } from "@cmcp/appraise/evidence";
import { kernelFiles, type TsmFiles } from "./files.ts";

/** Where the kernel offers reports (Documentation/ABI/testing/configfs-tsm-report; since Linux 6.7). */
export const TSM_REPORT_FOLDER = "/sys/kernel/config/tsm/report";
/**
 * The one folder that an init may make beforehand for a process that is not root: configfs gives the files of a folder
 * to root, whoever made it.
 */
export const DELEGATED_ENTRY = "cmcp";
/** Largest report or quote read, in bytes. */
export const MAX_OUTBLOB_BYTES = 64 * 1024;
/** Largest certificate table read, in bytes. */
export const MAX_AUXBLOB_BYTES = 64 * 1024;
/** Largest text attribute read, in bytes. */
const MAX_TEXT_BYTES = 128;
/** How often a step the kernel was too busy for is tried again, and the pause before each, in milliseconds. */
const MAX_RETRIES = 25;
const RETRY_MS = 40;
const BUSY: ReadonlySet<string> = new Set(["EBUSY", "EAGAIN", "EWOULDBLOCK", "EINTR"]);

/** The kernel drivers that make reports. */
export type TsmProvider = "sev_guest" | "tdx_guest";

/** Which reports to ask for and where. */
export interface TsmSource {
  readonly provider: TsmProvider;
  /** Defaults to {@link TSM_REPORT_FOLDER}. */
  readonly folder?: string;
  readonly files?: TsmFiles;
}

/** What the kernel handed over for one report. */
export interface TsmReport {
  /** SEV-SNP: the attestation report. TDX: the quote. */
  readonly outblob: Uint8Array;
  /** SEV-SNP: the host's certificate table, empty when it gave none. `null` where the provider has no such attribute. */
  readonly auxblob: Uint8Array | null;
}

/**
 * Asks the kernel for one report over 64 bytes of report data. A request has a folder of its own. Where there is a
 * delegated folder, requests take turns in it. If the folder's generation stays the same, nobody else's input got
 * between the write and the reads.
 *
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function readTsmReport(source: TsmSource, reportData: Uint8Array): Promise<TsmReport> {
  if (reportData.length !== REPORT_DATA_BYTES)
    throw new CmcpError("INTERNAL", `report_data is ${REPORT_DATA_BYTES} bytes`);
  const { provider, folder = TSM_REPORT_FOLDER, files = kernelFiles } = source;
  const entry = await openEntry(files, folder);
  try {
    const found = await entry.text("provider");
    if (found !== provider) throw unavailable("the reports here are made by another provider than the configured one");
    let generation = Number(await entry.text("generation"));
    generation += provider === "sev_guest" ? await raisePrivilegeLevel(entry) : 0;
    await entry.write("inblob", reportData);
    generation += 1;
    // A binary attribute is taken over when it is closed, and the kernel has no way to say there that it refused.
    if (Number(await entry.text("generation")) !== generation)
      throw unavailable("the kernel did not take the report data");
    const outblob = await entry.read("outblob", MAX_OUTBLOB_BYTES);
    const auxblob = provider === "sev_guest" ? await entry.read("auxblob", MAX_AUXBLOB_BYTES) : null;
    if (Number(await entry.text("generation")) !== generation)
      throw unavailable("the report's input changed while it was read");
    return { outblob, auxblob };
  } finally {
    await entry.close();
  }
}

async function openEntry(files: TsmFiles, folder: string): Promise<Entry> {
  const delegated = new Entry(files, join(folder, DELEGATED_ENTRY), false);
  if (await delegated.exists()) return delegated;
  const own = new Entry(files, join(folder, `cmcp-${randomUUID()}`), true);
  await own.make();
  return own;
}

/** Below a paravisor or SVSM the default level 0 is not this guest's to ask for. Gives the number of options written. */
async function raisePrivilegeLevel(entry: Entry): Promise<number> {
  const floor = await entry.text("privlevel_floor");
  if (floor === "0") return 0;
  await entry.write("privlevel", new TextEncoder().encode(floor));
  return 1;
}

/** One folder of configfs-tsm, with what each failure means. */
class Entry {
  readonly #files: TsmFiles;
  readonly #path: string;
  readonly #own: boolean;

  /** @param own whether the folder is made for one request and removed after it */
  constructor(files: TsmFiles, path: string, own: boolean) {
    this.#files = files;
    this.#path = path;
    this.#own = own;
  }

  async exists(): Promise<boolean> {
    try {
      await this.#files.read(join(this.#path, "provider"), MAX_TEXT_BYTES);
      return true;
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return false;
      throw unavailable(`the delegated report folder cannot be used (${codeOf(thrown)})`);
    }
  }

  async make(): Promise<void> {
    await attempt("configfs-tsm cannot be used", async () => await this.#files.makeDirectory(this.#path));
  }

  async close(): Promise<void> {
    if (this.#own)
      await attempt("the report's folder cannot be removed", async () => await this.#files.removeDirectory(this.#path));
  }

  async write(attribute: string, bytes: Uint8Array): Promise<void> {
    await attempt(
      `${attribute} cannot be written`,
      async () => await this.#files.write(join(this.#path, attribute), bytes),
    );
  }

  async read(attribute: string, limit: number): Promise<Uint8Array> {
    const content = await attempt(
      `${attribute} cannot be read`,
      async () => await this.#files.read(join(this.#path, attribute), limit),
    );
    if (content.length > limit) throw unavailable(`${attribute} is larger than ${limit} bytes`);
    return content;
  }

  async text(attribute: string): Promise<string> {
    return new TextDecoder().decode(await this.read(attribute, MAX_TEXT_BYTES)).trim();
  }
}

/** Runs one step; a kernel that was only busy is asked again, a bounded number of times. */
async function attempt<T>(what: string, step: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await step();
    } catch (thrown) {
      const code = codeOf(thrown);
      if (!BUSY.has(code) || retries === MAX_RETRIES)
        throw asCmcpError(thrown, "ATTESTATION_REPORT_UNAVAILABLE", `${what} (${code})`);
      await delay(RETRY_MS);
    }
  }
}

/** What a system call failed with, `EBUSY` for example. */
function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "an error";
}

function unavailable(why: string): CmcpError {
  return new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", why);
}
