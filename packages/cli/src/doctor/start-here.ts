import { existsSync } from "node:fs";
import process from "node:process";
import { detectProvider, thisMachine, withTpmSocket } from "@cmcp/attestation";
import { CmcpError } from "@cmcp/boundary";
import { requireHost } from "@cmcp/host-proxy";
import { readLaunchInputs } from "@cmcp/launch/files";
import { enclaveSettings, SPAWNER } from "../start/enclave-settings.ts";

/**
 * Refuses a configuration that this machine cannot start, as the start would.
 * @throws CmcpError of whatever it lacks
 */
export async function requireStartHere(configPath: string): Promise<void> {
  const inputs = await readLaunchInputs(configPath, process.env);
  const { development } = inputs.environment;
  const settings = await enclaveSettings(inputs, process.env);
  await requireHost(settings);
  if (settings.launcher === "vsock" || settings.launcher === "qemu") return;
  const { tpmSocket } = settings;
  const machine = tpmSocket === undefined ? thisMachine : withTpmSocket(thisMachine, tpmSocket);
  detectProvider(inputs.config.attestation.provider, development, machine);
  if (inputs.stdioTrees.length > 0 && !development && !existsSync(SPAWNER))
    throw new CmcpError("SPAWN_UNAVAILABLE", "the spawner of stdio servers was not compiled");
}
