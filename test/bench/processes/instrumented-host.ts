/**
 * The gateway as `cmcp start` composes it, of the same parts, except that the enclave answers the probe:
 * flags that let it be observed are added, and nothing else. Heap and profiles are taken here; what is
 * compared with the bare proxy is the shipped command.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { createLog, setEngineFlags, startHost } from "@cmcp/host-proxy";
import { readLaunchInputs } from "@cmcp/launch/files";
import { CLI } from "../../gateway/gateway.ts";
import { argument, say } from "./parent.ts";
import { serveProbe } from "./probe.mts";

const PROBE = fileURLToPath(new URL("./probe.mts", import.meta.url));

const { config, socket, hostSocket } = argument() as { config: string; socket: string; hostSocket: string };
serveProbe(hostSocket);
setEngineFlags();
const inputs = await readLaunchInputs(config, process.env);
const folder = dirname(socket);
const host = await startHost({
  listen: inputs.host.listen,
  launch: inputs.document,
  provision: inputs.provision,
  trees: inputs.stdioTrees,
  egressAllow: inputs.egressTargets.map((target) => `${target.host}:${target.port}`),
  storePath: inputs.paths.auditDb,
  witnesses: inputs.witnesses,
  enclave: {
    entry: join(dirname(CLI), "enclave/enclave.cjs"),
    nodePath: process.execPath,
    developmentMode: true,
    extraFlags: [
      "--expose-gc",
      "--allow-inspector",
      "--disable-warning=PERM0004",
      `--allow-fs-read=${dirname(PROBE)}`,
      `--allow-fs-read=${folder}`,
      `--allow-fs-write=${folder}`,
      "--require",
      PROBE,
    ],
    extraArguments: [socket],
  },
  log: createLog({ level: "warn", destination: process.stderr }),
});
say({ port: host.address.port, pid: process.pid, enclavePid: host.enclavePid });
process.stdin.resume().once("end", () => {
  void host.close().then(() => process.exit(0));
});
