import process from "node:process";
import type { Writable } from "node:stream";
import type { Host, EnclaveLocation } from "@cmcp/host-proxy";
import type { LaunchInputs } from "@cmcp/launch/files";

const LAUNCHERS: Readonly<Record<EnclaveLocation["launcher"], string>> = {
  process: "a process of this host",
  vsock: "a virtual machine that somebody else started",
  qemu: "a virtual machine that this host started",
};
const MEASURED: Readonly<Record<EnclaveLocation["measuredBy"], string>> = {
  nothing: "by nothing outside this host: who controls the host controls the enclave",
  "host-tpm": "by a TPM that this host plays: worth what the host is worth",
  processor: "by the processor; cmcp verify says what that is worth",
  unknown: "by whatever its machine has; cmcp verify says what that is worth",
};

/** Says that the gateway is ready, and what its enclave runs in. */
export function announce(
  { address, enclavePid, placement }: Host,
  inputs: LaunchInputs,
  asJson: boolean,
  out: Writable,
): void {
  const url = `http://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
  const { launcher, isolation, measuredBy } = placement;
  const statements = inputs.provision === null;
  if (asJson) {
    out.write(
      `${JSON.stringify({ ok: true, url, mcp: `${url}/mcp`, pid: process.pid, enclave_pid: enclavePid ?? null, launcher, isolation, measured_by: measuredBy, bearer_principals: statements ? "signed-statements" : "host-asserted", launch_digest: `sha256:${inputs.digest}` })}\n`,
    );
    return;
  }
  const rows = {
    enclave: LAUNCHERS[launcher],
    measured: MEASURED[measuredBy],
    "enclave isolation": isolation,
    "bearer principals": statements
      ? "none until cmcp provision gives the enclave a signed statement"
      : "host-asserted, for development: this host hands the enclave their tokens' hashes, unsigned",
    "launch digest": `sha256:${inputs.digest}`,
    // What a launcher such as npx has started it under is another process, which may not pass signals on.
    "process id": String(process.pid),
  };
  const lines = Object.entries(rows).map(([name, value]) => `  ${`${name}:`.padEnd(18)} ${value}\n`);
  out.write(`cmcp is ready: agents connect to ${url}/mcp\n${lines.join("")}`);
}
