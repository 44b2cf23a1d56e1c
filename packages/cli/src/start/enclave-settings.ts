import { realpath } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { CmcpError } from "@cmcp/boundary";
import type { LauncherSettings } from "@cmcp/host-proxy";
import type { LaunchInputs } from "@cmcp/launch/files";
import { interpreterFiles } from "@cmcp/spawner/host";

const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The enclave's bundle, built beside this command. */
const ENCLAVE_ENTRY = beside("./enclave/enclave.cjs");
/** The compiled spawner, where the machine that built this command had a C compiler. */
export const SPAWNER = beside("./cmcp-spawn");
/** The compiled vsock addon, likewise. */
export const VSOCK_ADDON = beside("./vsock.node");

/**
 * What the configuration has the enclave run in.
 * @throws CmcpError `CONFIG_INVALID` for a software TPM that the launcher could not use
 */
export async function enclaveSettings(
  inputs: LaunchInputs,
  { CMCP_TPM_SOCKET: tpmSocket = "" }: NodeJS.ProcessEnv,
): Promise<LauncherSettings> {
  const { launcher: config } = inputs.host;
  if (tpmSocket !== "" && config.launcher !== "process")
    throw new CmcpError("CONFIG_INVALID", `environment: CMCP_TPM_SOCKET: launcher ${config.launcher} does not use it`, {
      detail: { key: "CMCP_TPM_SOCKET" },
    });
  switch (config.launcher) {
    case "process":
      return {
        entry: ENCLAVE_ENTRY,
        nodePath: process.execPath,
        developmentMode: inputs.environment.development,
        attestation: inputs.config.attestation.provider,
        ...(tpmSocket === "" ? {} : { tpmSocket }),
        ...(await spawnerFor(inputs)),
      };
    case "vsock":
      return {
        launcher: "vsock",
        port: config.port,
        route: "cid" in config.route ? { cid: config.route.cid, addon: VSOCK_ADDON } : config.route,
      };
    case "qemu":
      return {
        launcher: "qemu",
        image: config.image,
        platform: config.platform,
        memoryMegabytes: config.memory_mb,
        processors: config.vcpus,
        processorModel: config.cpu ?? null,
        accelerator: config.accelerator,
        vsock:
          typeof config.cid === "number" ? { kind: "kernel", cid: config.cid, addon: VSOCK_ADDON } : { kind: "daemon" },
        quoteGenerationSocket: config.quote_generation_socket ?? undefined,
        consolePath: config.console_log,
        tpmState: config.tpm_state,
      };
  }
}

/**
 * The spawner beside this command, when the catalog has stdio servers. They see this command's Node and its libraries.
 */
async function spawnerFor({
  stdioTrees,
}: LaunchInputs): Promise<{ spawner?: { program: string; runtime: readonly string[] } }> {
  return stdioTrees.length > 0
    ? { spawner: { program: SPAWNER, runtime: await interpreterFiles(await realpath(process.execPath)) } }
    : {};
}
