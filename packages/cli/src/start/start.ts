import process from "node:process";
import { fileURLToPath } from "node:url";
import { asCmcpError } from "@cmcp/boundary";
import { once } from "node:events";
import { interpreterFiles } from "@cmcp/spawner/host";
import { realpath } from "node:fs/promises";
import { createLog, startHost, type Host, type HostOptions } from "@cmcp/host-proxy";
import { readLaunchInputs, readPolicyReload, readProvision, type LaunchInputs } from "@cmcp/launch/files";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";

/** The enclave's bundle, built beside this command. */
const ENCLAVE_ENTRY = fileURLToPath(new URL("./enclave/enclave.cjs", import.meta.url));

/** The compiled spawner, where the machine that built this command had a C compiler. */
const SPAWNER = fileURLToPath(new URL("./cmcp-spawn", import.meta.url));

/** `cmcp start`: everything on the untrusted side, and the enclave as a process of its own. */
export const start: Command = {
  help: `Usage: cmcp start --config FILE [--json]

Starts the host proxy and the enclave and serves MCP over HTTP until it is interrupted; then it drains:
every session is closed with its claim.

  --config FILE  the configuration (docs/configuration.md)
  --json         one line of JSON on standard output when ready; the log goes to standard error

Environment:
  CMCP_DEV_MODE=1       development: software attestation, and no token needed on loopback
  CMCP_BEARER_TOKEN     the token of principal default; this or enclave.token_file is required outside
                        tokenless development
  CMCP_POLICY_HASH      start with no other policy bundle than this
  CMCP_POLICY_SIGNING_KEY  accept only policy bundles signed with this Ed25519 public key (base64url, hex or
                        PEM); needed for policy_reload_interval_seconds
  CMCP_CATALOG_HASH     refuse any other catalog
  CMCP_TPM_SOCKET       command socket of a software TPM, with attestation.provider tpm

Signals: SIGHUP reads enclave.token_file and enclave.credentials_file again: from then on what they hold counts.
SIGINT and SIGTERM stop in order.

Exit codes: 0 stopped in order, 10 refused to start, 64 usage, 1 internal.
Example:    CMCP_DEV_MODE=1 cmcp start --config examples/quickstart/cmcp-config.yaml
`,
  async run(args, terminal) {
    const { values } = readArguments(args, { config: { type: "string" }, json: { type: "boolean", default: false } });
    const inputs = await readLaunchInputs(required(values.config, "--config"), process.env);
    const log = createLog({ level: "info", destination: terminal.err });
    for (const warning of inputs.warnings) terminal.err.write(`warning: ${warning}\n`);
    const stop = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
    const host = await startHost({
      listen: inputs.host.listen,
      launch: inputs.document,
      provision: inputs.provision,
      egressAllow: inputs.egressTargets.map(({ host: name, port }) => (name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`)),
      storePath: inputs.paths.auditDb,
      enclave: { entry: ENCLAVE_ENTRY, nodePath: process.execPath, developmentMode: inputs.environment.development, ...tpmSocket(process.env), ...(await spawnerFor(inputs)) },
      log,
      ...policySource(inputs),
    });
    if (inputs.paths.tokenFile !== null || inputs.paths.credentialsFile !== null) process.on("SIGHUP", () => void replaceTokens(host, inputs, terminal));
    announce(host, inputs, values.json, terminal);
    await stop;
    await host.close();
    return EXIT.ok;
  },
};

/** The spawner beside this command, when the catalog has stdio servers. They see this command's Node and its libraries. */
async function spawnerFor({ stdioServers }: LaunchInputs): Promise<Pick<HostOptions["enclave"], "spawner">> {
  return stdioServers ? { spawner: { program: SPAWNER, runtime: await interpreterFiles(await realpath(process.execPath)) } } : {};
}

/** A software TPM in place of the machine's: CMCP_TPM_SOCKET. */
function tpmSocket({ CMCP_TPM_SOCKET: path }: NodeJS.ProcessEnv): { tpmSocket?: string } {
  return path === undefined || path === "" ? {} : { tpmSocket: path };
}

/** Where the host looks for another policy bundle, if the configuration says so. */
function policySource({ config, paths, policy }: LaunchInputs): Pick<HostOptions, "policy"> {
  const seconds = config.policy_reload_interval_seconds;
  return seconds === 0 ? {} : { policy: { first: policy, everyMs: seconds * 1000, read: () => readPolicyReload(paths.policyBundle) } };
}

/** Whatever is wrong with the new tokens, the ones before stay in force. */
async function replaceTokens(host: Host, inputs: LaunchInputs, { err }: Terminal): Promise<void> {
  try {
    await host.provision(await readProvision(inputs));
    err.write("tokens and credentials replaced\n");
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "INTERNAL", "the token file could not be used");
    err.write(`tokens not replaced: ${code}: ${message}\n`);
  }
}

function announce(host: Host, inputs: LaunchInputs, asJson: boolean, terminal: Terminal): void {
  const { host: name, port } = host.address;
  const url = `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
  if (asJson) {
    terminal.out.write(`${JSON.stringify({ ok: true, url, mcp: `${url}/mcp`, pid: process.pid, enclave_pid: host.enclavePid, isolation: host.isolation, launch_digest: `sha256:${inputs.digest}` })}\n`);
    return;
  }
  terminal.out.write(`cmcp is ready: agents connect to ${url}/mcp\n  enclave isolation: ${host.isolation}\n  launch digest:     sha256:${inputs.digest}\n`);
}
