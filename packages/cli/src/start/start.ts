import { once } from "node:events";
import process from "node:process";
import { asCmcpError } from "@cmcp/boundary";
import {
  createLog,
  setEngineFlags,
  startHost,
  dropWhenUnread,
  type Host,
  type HostOptions,
  type Offer,
} from "@cmcp/host-proxy";
import {
  readLaunchInputs,
  readProvision,
  readReload,
  reloadIntervalMs,
  type LaunchInputs,
  type ReloadInputs,
} from "@cmcp/launch/files";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { announce } from "./announce.ts";
import { enclaveSettings } from "./enclave-settings.ts";
import { reloadSignal } from "./reload-signal.ts";
import { stopSignal } from "./stop-signal.ts";

/** Milliseconds that what is already logged may take to be read once everything has stopped. */
const LAST_WORDS_MS = 1_000;

/** `cmcp start`: everything on the untrusted side, and the enclave in whatever the configuration's launcher is. */
export const start: Command = {
  help: `Usage: cmcp start --config FILE [--json]

Starts the host proxy and the enclave and serves MCP over HTTP until it is interrupted; then it drains:
every session is closed with its claim. The enclave is a process of this host, or with launcher: qemu or
vsock in the configuration, a virtual machine that runs the measured image.

  --config FILE  the configuration (docs/reference/configuration.md)
  --json         one line of JSON on standard output when ready; the log goes to standard error

Environment:
  CMCP_DEV_MODE=1       development: software attestation, and no token needed on loopback
  CMCP_BEARER_TOKEN     the token of principal default; this or enclave.token_file is required outside
                        tokenless development
  CMCP_POLICY_HASH      start with no other policy bundle than this
  CMCP_POLICY_SIGNING_KEY  accept only policy bundles signed with this Ed25519 public key (base64url, hex or
                        PEM); needed for policy_reload_interval_seconds
  CMCP_CATALOG_HASH     refuse any other catalog
  CMCP_AUDIT_DATABASE_URL  PostgreSQL database (postgres://…) that keeps the audit store, in place of audit_db_path
  CMCP_TPM_SOCKET       command socket of a software TPM, with attestation.provider tpm and launcher process
  CMCP_PEER_IDENTITY_HEADER  header in which a TLS proxy in front reports an agent's client certificate, such as
                        x-forwarded-client-cert; only where nobody but that proxy can connect

Signals: SIGHUP reads enclave.token_file and enclave.credentials_file again: from then on what they hold counts.
SIGINT and SIGTERM stop in order; while it stops, more of them change nothing.

Exit codes: 0 stopped in order, 10 refused to start or another gateway writes the log now, 40 stopped, but sessions were left
            without a claim, as when the disk is full, 64 usage, 1 internal.
Example:    CMCP_DEV_MODE=1 cmcp start --config examples/quickstart/cmcp-config.yaml
`,
  async run(args, terminal) {
    const stop = stopSignal(terminal.out);
    const whenHungUp = reloadSignal();
    setEngineFlags();
    const { values } = readArguments(args, { config: { type: "string" }, json: { type: "boolean", default: false } });
    const inputs = await readLaunchInputs(required(values.config, "--config"), process.env);
    const log = createLog({ level: "info", destination: dropWhenUnread(terminal.err) });
    for (const warning of inputs.warnings) terminal.err.write(`warning: ${warning}\n`);
    const starting = startHost({
      listen: inputs.host.listen,
      launch: inputs.document,
      provision: inputs.provision,
      egressAllow: addressesOf(inputs),
      trees: inputs.stdioTrees,
      storePath: inputs.paths.auditDb,
      ...auditStore(inputs, process.env),
      witnesses: inputs.witnesses,
      enclave: await enclaveSettings(inputs, process.env),
      log,
      signal: stop,
      ...reloadSource(inputs),
      ...peerIdentity(process.env),
    });
    const host = await starting.catch((thrown: unknown) => {
      if (!stop.aborted) throw thrown;
      return null;
    });
    if (host === null) return EXIT.ok;
    whenHungUp(async () => {
      if (!stop.aborted) await replaceTokens(host, inputs, terminal);
    });
    announce(host, inputs, values.json, terminal.out);
    const ending = stop.aborted ? null : await Promise.race([once(stop, "abort").then(() => null), host.superseded]);
    const { drained } = await host.close();
    if (ending !== null) throw ending;
    // Lines that whoever reads the log leaves unread would keep the process.
    setTimeout(() => process.exit(), LAST_WORDS_MS).unref();
    return drained ? EXIT.ok : EXIT.undrained;
  },
};

/** Where a TLS proxy before this host says whose client certificate it saw: CMCP_PEER_IDENTITY_HEADER. */
function peerIdentity({
  CMCP_PEER_IDENTITY_HEADER: header,
}: NodeJS.ProcessEnv): Pick<HostOptions, "peerIdentityHeader"> {
  return header === undefined || header === "" ? {} : { peerIdentityHeader: header };
}

/** Where the audit store is, if not in a file, the folder of bodies that left it, and when they do. */
function auditStore(
  { config, paths }: LaunchInputs,
  { CMCP_AUDIT_DATABASE_URL: url = "" }: NodeJS.ProcessEnv,
): Pick<HostOptions, "database" | "archivePath" | "auditorsTermDays"> {
  const { origin, auditors_term_days: termDays } = config.log;
  return {
    ...(url === "" ? {} : { database: { url, origin } }),
    ...(paths.auditArchive === null ? {} : { archivePath: paths.auditArchive }),
    ...(termDays === undefined ? {} : { auditorsTermDays: termDays }),
  };
}

/** Where the host may relay to, as it is told. */
function addressesOf({ egressTargets }: Pick<ReloadInputs, "egressTargets">): readonly string[] {
  return egressTargets.map(({ host, port }) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`));
}

/** Where the host looks for another policy bundle and another catalog, if the configuration says so. */
function reloadSource(inputs: LaunchInputs): Pick<HostOptions, "reload"> {
  const everyMs = reloadIntervalMs(inputs);
  if (everyMs === null || inputs.reload === null) return {};
  const offerOf = (read: ReloadInputs): Offer => ({ message: read.message, egressAllow: addressesOf(read) });
  const read = async (): Promise<Offer> => offerOf(await readReload(inputs));
  return { reload: { first: offerOf(inputs.reload), everyMs, read } };
}

/** Whatever is wrong with the new tokens, the ones before stay in force. */
async function replaceTokens(host: Host, inputs: LaunchInputs, { err }: Terminal): Promise<void> {
  if (inputs.paths.tokenFile === null && inputs.paths.credentialsFile === null) {
    err.write("nothing to read again: the configuration has neither enclave.token_file nor enclave.credentials_file\n");
    return;
  }
  try {
    const message = await readProvision(inputs);
    if (message !== null) await host.provision(message);
    err.write("tokens and credentials replaced\n");
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "INTERNAL", "the token file could not be used");
    err.write(`tokens not replaced: ${code}: ${message}\n`);
  }
}
