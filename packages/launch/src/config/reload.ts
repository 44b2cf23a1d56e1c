import { CmcpError } from "@cmcp/boundary";
import type { EnvironmentSettings } from "./environment.ts";

const KEY = "policy_reload_interval_seconds";

/** Why a configured reload could never install a bundle, or must not; `null` if it can. */
export function reloadProblem(
  seconds: number,
  pins: { readonly policyHash: string | null; readonly policySigningKey: string | null },
): CmcpError | null {
  if (seconds === 0 || pins.policySigningKey !== null) return null;
  if (pins.policyHash !== null)
    return new CmcpError(
      "POLICY_RELOAD_PINNED_HASH",
      `${KEY}: a pinned policy hash allows no other bundle, so none could ever be loaded; set ` +
        `CMCP_POLICY_SIGNING_KEY, or ${KEY} to 0`,
    );
  return new CmcpError(
    "CONFIG_INVALID",
    `${KEY}: needs CMCP_POLICY_SIGNING_KEY: without it nothing shows who made a bundle`,
  );
}

/** @throws CmcpError of {@link reloadProblem}, naming the file. */
export function requireReloadable(seconds: number, environment: EnvironmentSettings, file: string): void {
  const problem = reloadProblem(seconds, environment);
  if (problem !== null)
    throw new CmcpError(problem.code, `${file}: ${problem.message}`, { detail: { file, key: KEY } });
}
