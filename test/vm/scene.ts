import { mkdir, symlink } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readLaunchInputs } from "@cmcp/launch/files";
import { closeSession, requested, type SessionRecords } from "../conformance/policy-tee/composed-host.ts";
import { deployRecords, TOKEN } from "../conformance/policy-tee/deployment.ts";
import { startGateway } from "../gateway/gateway.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { IMAGE, published } from "./image.ts";
import { ENTRY } from "./launch-scene.ts";
import { emulatorEnvironment, useMachine } from "./launch-settings.ts";

const ENVIRONMENT = { CMCP_BEARER_TOKEN: TOKEN } as const;

/** The quickstart deployment on a real server, not in development, started by `cmcp start` with its enclave in a machine with a TPM. */
export interface Scene {
  /** Where agents connect, without the path. */
  readonly url: string;
  /** Process id of the machine. */
  readonly pid: number;
  /** Path of the configuration it was started with. */
  readonly config: string;
  readonly records: RecordsServer;
  /** Closes a session and writes what its relying party gets; expected are the published image and the deployment as it was before any tampering. */
  closeSession(session: string): Promise<SessionRecords & { readonly measurements: string }>;
  close(): Promise<void>;
}

/** What root on the host changes before the start; nothing, unless said. */
export interface Tampering {
  /** Writes a changed file of the published image, which is at `path`, to `to`. */
  readonly image?: { readonly file: string; readonly change: (path: string, to: string) => Promise<void> };
  /** Changes files of the deployment. */
  readonly deployment?: (folder: string) => Promise<void>;
}

/** Starts servers and gateway; everything of them is in `folder`. */
export async function startScene(folder: string, { image, deployment }: Tampering = {}): Promise<Scene> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    await mkdir(folder, { recursive: true });
    const records = await startRecordsServer();
    undo.push(() => records.close());
    const config = await deployRecords(join(folder, "deployment"), records, "tpm");
    const { document } = await readLaunchInputs(config, ENVIRONMENT);
    await deployment?.(join(folder, "deployment"));
    await useMachine(config, image === undefined ? IMAGE : await changedImage(folder, image));
    const gateway = await startGateway(
      config,
      { ...ENVIRONMENT, ...(await emulatorEnvironment(folder)) },
      { entry: ENTRY },
    );
    undo.push(() => gateway.stop());
    const request = async (path: string, method?: "GET" | "POST"): Promise<string> =>
      await requested(`${gateway.url}${path}`, method);
    return {
      url: gateway.url,
      pid: gateway.enclave_pid,
      config,
      records,
      close,
      closeSession: async (session) => ({
        ...(await closeSession({ request, document }, session, folder)),
        measurements: published("measurements.json"),
      }),
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** The published image in a folder of its own, but for one file. */
async function changedImage(folder: string, { file, change }: NonNullable<Tampering["image"]>): Promise<string> {
  const image = join(folder, "image");
  await mkdir(image);
  for (const name of readdirSync(IMAGE)) if (name !== file) await symlink(published(name), join(image, name));
  await change(published(file), join(image, file));
  return image;
}
