import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeMeasurements } from "@cmcp/enclave-image/measure";
import { commandLine } from "../../enclave-image/src/build/command-line.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { startMachineGateway, type MachineGateway } from "./gateway.ts";
import { debugMachine, published } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";
import type { Claimed } from "./verifying.ts";

/** The only principal's. */
export const TOKEN = "token-of-the-only-principal-0123456789";

/** The quickstart deployment on a real server, not in development, its enclave in a machine with a TPM. */
export interface Scene {
  readonly gateway: MachineGateway;
  readonly records: RecordsServer;
  /** Path of what the machine was started with. */
  readonly initramfs: string;
  /** Closes a session and writes what its relying party gets, and what the machine should measure as. */
  closeSession(session: string): Promise<Omit<Claimed, "policy">>;
  close(): Promise<void>;
}

/** Starts servers, machine and gateway; everything of them is in `folder`. */
export async function startScene(folder: string): Promise<Scene> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    await mkdir(folder, { recursive: true });
    const records = await startRecordsServer();
    undo.push(() => records.close());
    const config = await deployQuickstart(join(folder, "deployment"), { everythingPort: records.port, recordsPort: records.port, recordsFingerprint: records.fingerprint });
    await listenOnAnyPort(config);
    await onlyPinned(join(folder, "deployment/catalog.json"));
    await writeFile(config, (await readFile(config, "utf8")).replace("provider: auto", "provider: tpm"));
    const initramfs = join(folder, "initramfs");
    await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "enclave.ts" } }, initramfs);
    const gateway = await startMachineGateway({ config, environment: { CMCP_BEARER_TOKEN: TOKEN }, machine: debugMachine("vtpm", initramfs), folder });
    undo.push(() => gateway.close());
    const fetched = async (name: string, path: string, method: "GET" | "POST"): Promise<string> => {
      const reply = await fetch(`${gateway.url}${path}`, { method, headers: { authorization: `Bearer ${TOKEN}` } });
      if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
      await writeFile(join(folder, name), await reply.text());
      return join(folder, name);
    };
    return {
      gateway,
      records,
      initramfs,
      close,
      async closeSession(session) {
        const evidence = await fetched("evidence.json", `/sessions/${session}/evidence`, "GET");
        const claim = await fetched("claim.json", `/sessions/${session}/close`, "POST");
        await writeFile(join(folder, "launch.json"), gateway.launchDocument);
        return { claim, evidence, launchDocument: join(folder, "launch.json"), measurements: await writeMeasurementsOf(join(folder, "measurements.json"), { initramfs }) };
      },
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** Outside development a server is reached over TLS, with its key pinned; the example's other one is not. */
async function onlyPinned(catalog: string): Promise<void> {
  const entries = JSON.parse(await readFile(catalog, "utf8")) as { server: { url: string } }[];
  await writeFile(catalog, JSON.stringify(entries.filter(({ server }) => server.url.startsWith("https:"))));
}

/** Writes what the machine measures as with some initramfs and command line, and returns the path. */
export async function writeMeasurementsOf(path: string, parts: { initramfs: string; commandLine?: (line: string) => string }): Promise<string> {
  const line = commandLine("vtpm", "debug");
  await writeMeasurements({ name: "debug", version: "0", kernel: published("vmlinuz"), initrd: parts.initramfs, tpm: { commandLine: parts.commandLine?.(line) ?? line } }, path);
  return path;
}
