import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readLaunchInputs } from "@cmcp/launch/files";
import { closeSession, serveComposed, type SessionRecords } from "../conformance/policy-tee/composed-host.ts";
import { deployRecords, TOKEN } from "../conformance/policy-tee/deployment.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import type { Machine } from "../../host-proxy/src/launcher/qemu/machine.ts";
import { published, releaseMachine } from "./image.ts";
import { placeOf } from "./machine-target.ts";

/** The quickstart deployment on a real server, not in development, its enclave in a machine with a TPM. */
export interface Scene {
  /** Where agents connect, without the path. */
  readonly url: string;
  /** Process id of the machine. */
  readonly pid: number;
  readonly records: RecordsServer;
  /** Closes a session and writes what its relying party gets; expected are the published image and the deployment as it was before any tampering. */
  closeSession(session: string): Promise<SessionRecords & { readonly measurements: string }>;
  close(): Promise<void>;
}

/** What root on the host changes before the start; nothing, unless said. */
export interface Tampering {
  /** Changes the machine as it is published. */
  readonly machine?: (published: Machine, folder: string) => Promise<Machine>;
  /** Changes files of the deployment. */
  readonly deployment?: (folder: string) => Promise<void>;
}

/** Starts servers, machine and gateway; everything of them is in `folder`. */
export async function startScene(folder: string, { machine, deployment }: Tampering = {}): Promise<Scene> {
  const undo: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  const owner = { after: (step: () => unknown) => void undo.push(step), diagnostic: (text: string) => void process.stderr.write(text) };
  try {
    await mkdir(folder, { recursive: true });
    const records = await startRecordsServer();
    undo.push(() => records.close());
    const config = await deployRecords(join(folder, "deployment"), records, "tpm");
    const expected = join(folder, "expected-launch.json");
    await writeFile(expected, (await readLaunchInputs(config, { CMCP_BEARER_TOKEN: TOKEN })).document);
    await deployment?.(join(folder, "deployment"));
    const host = await serveComposed(owner, placeOf((await machine?.(releaseMachine(), folder)) ?? releaseMachine(), folder, owner), config);
    return {
      url: host.url,
      pid: host.enclave.pid,
      records,
      close,
      closeSession: async (session) => ({ ...(await closeSession(host, session, folder)), launchDocument: expected, measurements: published("measurements.json") }),
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}
