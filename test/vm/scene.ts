import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readLaunchInputs } from "@cmcp/launch/files";
import { closeSession, requested, type SessionRecords } from "../conformance/policy-tee/composed-host.ts";
import { deployRecords, giveToken } from "../conformance/policy-tee/deployment.ts";
import { startGateway, type Gateway } from "../gateway/gateway.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { IMAGE, published } from "./image.ts";
import { ENTRY } from "./launch-scene.ts";
import { emulatorEnvironment, useMachine } from "./launch-settings.ts";
import { addMemoryServer } from "./memory-server.ts";

/** The quickstart deployment on a real server, not in development, started by `cmcp start` with its enclave in a machine with a TPM. */
export interface Scene {
  /** Where agents connect, without the path. */
  readonly url: string;
  /** Process id of the machine. */
  readonly pid: number;
  /** Path of the configuration it was started with. */
  readonly config: string;
  readonly records: RecordsServer;
  /** What is expected of it: paths of the launch document as it was before any tampering, and of the published image's measurements. */
  readonly expected: { readonly launchDocument: string; readonly measurements: string };
  /**
   * Closes a session and writes what its relying party gets, with what is expected.
   * @param via where the gateway is asked; itself unless said
   */
  closeSession(session: string, via?: string): Promise<SessionRecords & { readonly measurements: string }>;
  close(): Promise<void>;
}

/** What root on the host changes before the start; nothing, unless said. */
export interface Tampering {
  /** Writes a changed file of the published image, which is at `path`, to `to`. */
  readonly image?: { readonly file: string; readonly change: (path: string, to: string) => Promise<void> };
  /** Changes files of the deployment. */
  readonly deployment?: (folder: string) => Promise<void>;
}

/** How a scene is not as usual. */
export interface SceneSettings {
  /** `sealed` where the gateway takes no token in the clear. */
  readonly channel?: "plain" | "sealed";
  /** Adds the published `server-memory`, over stdio. */
  readonly memoryServer?: boolean;
  /** Gives the enclave its token. Whoever does it unless said asks nothing of the enclave, so that a changed one serves, too. */
  readonly provisioned?: (gateway: Gateway, config: string) => Promise<void>;
}

/** Starts servers and gateway; everything of them is in `folder`. */
export async function startScene(
  folder: string,
  { image, deployment }: Tampering = {},
  {
    channel = "plain",
    memoryServer = false,
    provisioned = async ({ url }: Gateway): Promise<void> => await giveToken(url),
  }: SceneSettings = {},
): Promise<Scene> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    await mkdir(folder, { recursive: true });
    const records = await startRecordsServer();
    undo.push(() => records.close());
    const config = await deployRecords(join(folder, "deployment"), records, "tpm");
    if (memoryServer) await addMemoryServer(config);
    if (channel === "sealed") {
      const text = await readFile(config, "utf8");
      await writeFile(config, text.replace("enclave: {", "enclave: {channel: sealed, "));
    }
    const { document } = await readLaunchInputs(config, {});
    const expected = { launchDocument: join(folder, "expected.json"), measurements: published("measurements.json") };
    await writeFile(expected.launchDocument, document);
    await deployment?.(join(folder, "deployment"));
    await useMachine(config, image === undefined ? IMAGE : await changedImage(folder, image));
    const gateway = await startGateway(config, { ...(await emulatorEnvironment(folder)) }, { entry: ENTRY });
    undo.push(() => gateway.stop());
    await provisioned(gateway, config);
    return {
      url: gateway.url,
      pid: gateway.enclave_pid,
      config,
      records,
      expected,
      close,
      closeSession: async (session, via = gateway.url) => {
        const request = async (path: string, method?: "GET" | "POST"): Promise<string> =>
          await requested(`${via}${path}`, method);
        const { measurements } = expected;
        return { ...(await closeSession({ request, document }, session, folder)), measurements };
      },
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
