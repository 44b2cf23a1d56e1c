import { CmcpError } from "@cmcp/boundary";

// Leading zeros are common in dated versions such as 2026.08.01; 15 digits are exact in a double.
const VERSION = /^[0-9]{1,15}(?:\.[0-9]{1,15}){0,7}$/;

/** The numbers of a bundle version. @throws CmcpError `POLICY_BUNDLE_INVALID` unless it is 1 to 8 integers joined by dots. */
function numbersOf(version: string): readonly number[] {
  if (!VERSION.test(version))
    throw new CmcpError(
      "POLICY_BUNDLE_INVALID",
      "manifest.json: version: a bundle that replaces another, or may be replaced, has a version of integers joined by dots, such as 1.4.0",
    );
  return version.split(".").map(Number);
}

/**
 * Compares two bundle versions number by number; a missing number counts as 0, so 1.2 and 1.2.0 are one version.
 * Negative, zero or positive as `a` is lower, equal or higher.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID` for a version that is not integers joined by dots.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * @throws CmcpError `POLICY_VERSION_NOT_HIGHER` unless `next` is higher than `current`; `POLICY_BUNDLE_INVALID` for a
 * version that cannot be compared.
 */
export function requireHigherVersion(next: string, current: string): void {
  if (compareVersions(next, current) <= 0)
    throw new CmcpError(
      "POLICY_VERSION_NOT_HIGHER",
      `the policy bundle has version ${next}; the one in force has ${current}`,
    );
}
