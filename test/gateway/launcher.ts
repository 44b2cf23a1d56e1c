import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Names the launcher of the tests' gateways, which is `process` without it. */
export const LAUNCHER_VARIABLE = "CMCP_TEST_LAUNCHER";

const launcher = process.env[LAUNCHER_VARIABLE] ?? "process";
if (launcher !== "process" && launcher !== "qemu") throw new Error(`${LAUNCHER_VARIABLE} is process or qemu`);

/** Whether the enclave of every gateway is in a machine that boots the published image. */
export const IN_MACHINE = launcher === "qemu";

/** How many times longer than a process an emulated machine may take to do the same. */
export const PATIENCE = IN_MACHINE ? 6 : 1;

/** What a gateway is started with, beside its configuration. */
export interface Launch {
  readonly env: Record<string, string | undefined>;
  /** Removes what was made for this start. */
  clean(): Promise<void>;
}

/** Prepares a start; where enclaves are in machines, the configuration is given the launcher, unless it names its own. */
export async function prepareLaunch(config: string, env: Record<string, string>): Promise<Launch> {
  const inherited = { PATH: process.env["PATH"], ...env };
  if (!IN_MACHINE) return { env: inherited, clean: () => Promise.resolve() };
  const text = await readFile(config, "utf8").catch(() => null);
  // What the emulator is unpacked with is loaded where there is one.
  const { emulatorEnvironment, useMachine } = await import("../vm/launch-settings.ts");
  if (text !== null && !/^launcher:/m.test(text)) await useMachine(config);
  const folder = await mkdtemp(join(tmpdir(), "cmcp-vm-"));
  return {
    env: { ...inherited, ...(await emulatorEnvironment(folder)) },
    clean: () => rm(folder, { recursive: true, force: true }),
  };
}
