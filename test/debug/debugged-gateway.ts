import process from "node:process";
import { createLog, startHost, type Host } from "@cmcp/host-proxy";
import { readLaunchInputs } from "@cmcp/launch/files";

/** A gateway whose enclave a debugger can attach to. */
export interface DebuggedGateway {
  /** The enclave's bundle, with source maps. */
  readonly entry: string;
  /** On the loopback; 0 for any that is free. */
  readonly inspectorPort: number;
  /** Where the log goes, the address of the debugger with it. */
  readonly log: { readonly write: (text: string) => unknown };
}

/**
 * Starts the host and the enclave of a deployment for development.
 * @throws CmcpError as `cmcp start` does, and `CONFIG_INVALID` outside of development
 */
export async function startDebuggedGateway(
  config: string,
  env: Record<string, string>,
  { entry, inspectorPort, log }: DebuggedGateway,
): Promise<Host> {
  const inputs = await readLaunchInputs(config, env);
  return await startHost({
    listen: inputs.host.listen,
    launch: inputs.document,
    provision: inputs.provision,
    trees: inputs.stdioTrees,
    egressAllow: inputs.egressTargets.map(({ host, port }) => `${host}:${port}`),
    storePath: inputs.paths.auditDb,
    witnesses: inputs.witnesses,
    enclave: {
      entry,
      nodePath: process.execPath,
      developmentMode: inputs.environment.development,
      inspectorPort,
    },
    log: createLog({ level: "info", destination: log }),
  });
}
