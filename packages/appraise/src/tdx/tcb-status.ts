/** Statuses Intel gives a platform's TCB level (PCS API v4, TCB info: tcbStatus). */
export const PLATFORM_STATUSES = [
  "UpToDate",
  "SWHardeningNeeded",
  "ConfigurationNeeded",
  "ConfigurationAndSWHardeningNeeded",
  "OutOfDate",
  "OutOfDateConfigurationNeeded",
  "Revoked",
] as const;

/** Every status an appraisal can come to; the two of relaunch only for TDX 1.5. */
export const TCB_STATUSES = [...PLATFORM_STATUSES, "RelaunchAdvised", "RelaunchAdvisedConfigurationNeeded"] as const;

export type PlatformStatus = (typeof PLATFORM_STATUSES)[number];
export type TcbStatus = (typeof TCB_STATUSES)[number];

/** Statuses of the TDX module and of the quoting enclave, which have no configuration. */
export type ComponentStatus = "UpToDate" | "OutOfDate" | "Revoked";

const CONFIGURATION: ReadonlySet<TcbStatus> = new Set<TcbStatus>([
  "ConfigurationNeeded",
  "ConfigurationAndSWHardeningNeeded",
  "OutOfDateConfigurationNeeded",
  "RelaunchAdvisedConfigurationNeeded",
]);

/** True when the operator has something to configure besides. */
export function needsConfiguration(status: TcbStatus): boolean {
  return CONFIGURATION.has(status);
}

const CURRENT: ReadonlySet<TcbStatus> = new Set<TcbStatus>([
  "UpToDate",
  "SWHardeningNeeded",
  "ConfigurationNeeded",
  "ConfigurationAndSWHardeningNeeded",
]);

/** True when the level's firmware is the newest, whatever hardening or configuration it still asks for. */
export function isCurrent(status: TcbStatus): boolean {
  return CURRENT.has(status);
}

/**
 * The status of a platform together with one of its components, TDX module or quoting enclave: the worse one wins
 * (Intel TDX DCAP quote verification, converging of TCB statuses).
 */
export function converge<Status extends TcbStatus>(
  platform: Status,
  component: ComponentStatus,
): Status | "OutOfDate" | "OutOfDateConfigurationNeeded" | "Revoked" {
  if (component === "Revoked") return "Revoked";
  if (component === "UpToDate" || !isCurrent(platform)) return platform;
  return needsConfiguration(platform) ? "OutOfDateConfigurationNeeded" : "OutOfDate";
}

/**
 * The status of a TD of TDX 1.5, whose module may have been replaced while it ran (Intel TDX DCAP quote verification,
 * TD relaunch check). If only what it was launched under is out of date, a new launch is all that is needed. If it
 * runs under something worse than it was launched under, that counts.
 *
 * @param launched - all parts converged, by TEE_TCB_SVN
 * @param current - all parts converged, by TEE_TCB_SVN_2
 */
export function convergeRelaunch(launched: TcbStatus, current: TcbStatus): TcbStatus {
  if (!isCurrent(current)) return converge(launched, current === "Revoked" ? "Revoked" : "OutOfDate");
  if (launched !== "OutOfDate" && launched !== "OutOfDateConfigurationNeeded") return launched;
  return needsConfiguration(launched) || needsConfiguration(current)
    ? "RelaunchAdvisedConfigurationNeeded"
    : "RelaunchAdvised";
}
