/** The gateway without processes of its own: the host proxy and the enclave of the product, composed in the test's process. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { thisMachine } from "@cmcp/attestation";
import { asCmcpError } from "@cmcp/boundary";
import { createLog, makeRuntimeDirectory, startHost, type Host, type Launcher } from "@cmcp/host-proxy";
import { readLaunchInputs, type LaunchInputs } from "@cmcp/launch/files";
import { CompileWorker } from "@cmcp/policy/worker";
import { ExchangePool, listenAt, serveStream, unixDialer } from "@cmcp/wire";
import { Enclave } from "../../packages/enclave/src/boot/enclave.ts";
import { ROOT } from "./deployment.ts";
import { StartRefused, startGateway, type Gateway } from "./gateway.ts";
import { IN_MACHINE } from "./launcher.ts";

const BUNDLE = join(ROOT, "packages/cli/dist/enclave");
const POLICY_WORKER = pathToFileURL(join(BUNDLE, "policy-worker.cjs"));
/** Most streams of the enclave to the services of its host. */
const MAX_STREAMS = 1_408;

/** What a test chooses of an enclave: its monotonic clock in milliseconds, and how many requests a key to seal to opens before another takes its place. */
interface EnclaveSettings {
  readonly monotonic?: () => number;
  readonly requestsOfKey?: number;
}

/** Launches the enclave in this process; host and enclave still speak frames over Unix sockets. */
async function inProcessLauncher({ monotonic = () => performance.now(), ...rest }: EnclaveSettings): Promise<Launcher> {
  const directory = await makeRuntimeDirectory();
  return {
    placement: { launcher: "process", isolation: "none", measuredBy: "nothing" },
    dialer: unixDialer(directory.enclaveSocket),
    listen: async (onStream) => await listenAt(directory.servicesSocket, "", onStream),
    start: async () => {
      await directory.clearEnclaveSocket();
      const pool = new ExchangePool(unixDialer(directory.servicesSocket), { maxStreams: MAX_STREAMS });
      const firstCompiler = new CompileWorker(POLICY_WORKER);
      const enclave = new Enclave({
        host: pool,
        policyWorker: POLICY_WORKER,
        firstCompiler,
        // Of the bundle of these sources, as an enclave process would say.
        buildDigest: `sha256:${hash("sha256", readFileSync(join(BUNDLE, "enclave.cjs")))}`,
        spawner: null,
        platform: { machine: thisMachine },
        monotonic,
        ...rest,
      });
      const listener = await listenAt(directory.enclaveSocket, "", (stream) =>
        serveStream(stream, (exchange) => enclave.accept(exchange)),
      );
      const ended = Promise.withResolvers<{ exitCode: number; exitSignal: undefined }>();
      return {
        pid: undefined,
        exited: ended.promise,
        stop: async () => {
          await listener.close();
          await pool.close();
          await firstCompiler.close();
          const exit = { exitCode: 0, exitSignal: undefined };
          ended.resolve(exit);
          return exit;
        },
      };
    },
    close: () => directory.remove(),
  };
}

async function start(inputs: LaunchInputs, lines: string[], settings: EnclaveSettings): Promise<Host> {
  return await startHost({
    listen: inputs.host.listen,
    launch: inputs.document,
    provision: inputs.provision,
    trees: inputs.stdioTrees,
    egressAllow: inputs.egressTargets.map(({ host, port }) => `${host}:${port}`),
    storePath: inputs.paths.auditDb,
    witnesses: inputs.witnesses,
    enclave: await inProcessLauncher(settings),
    log: createLog({ level: "info", destination: { write: (line) => void lines.push(line) } }),
  });
}

/** What starts a gateway of a configuration. */
export type StartsGateway = (config: string, env: Record<string, string>) => Promise<Gateway>;

/**
 * Starts a gateway in this process, with the interface of one that has processes; in the suite of machines it is one in a machine.
 * Signals, namespaces, stdio servers and crashes are for {@link startGateway}.
 *
 * @param settings the enclave's; a machine has its own
 * @throws StartRefused when the start is refused
 */
export async function startInProcess(
  config: string,
  env: Record<string, string>,
  settings: EnclaveSettings = {},
): Promise<Gateway> {
  if (IN_MACHINE) return await startGateway(config, env);
  const lines: string[] = [];
  try {
    const inputs = await readLaunchInputs(config, env);
    const host = await start(inputs, lines, settings);
    const url = `http://${host.address.host}:${host.address.port}`;
    return {
      url,
      mcp: `${url}/mcp`,
      // Neither has a process of its own: whoever signals one is told so by process.kill.
      pid: Number.NaN,
      enclave_pid: Number.NaN,
      launcher: "process",
      isolation: "none",
      launch_digest: `sha256:${hash("sha256", inputs.document)}`,
      log: () => lines.join(""),
      stop: async () => ((await host.close()).drained ? 0 : 40),
      kill: async () => void (await host.close()),
    };
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "INTERNAL", "the gateway did not start");
    throw new StartRefused(10, JSON.stringify({ error: { code, message } }));
  }
}
