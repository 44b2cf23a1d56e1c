import { CmcpError, type ErrorCode } from "@cmcp/boundary";

/** A key of the common format whose feature this version does not have. */
export interface UnsupportedKey {
  /** Path of the key, its steps separated by dots. */
  readonly key: string;
  /** The one value that is refused; without it every value that enables something is refused. */
  readonly value?: string;
  /** The reason in the error message. */
  readonly why: string;
  readonly code: ErrorCode;
}

const NO_CATALOG_RELOAD = {
  why: "the catalog is measured at start, and only a restart loads another",
  code: "CATALOG_RESTART_REQUIRED",
} as const;

/** The keys that a file may not set. To accept one would promise a protection that does not exist. */
export const UNSUPPORTED_KEYS: readonly UnsupportedKey[] = [
  {
    key: "attestation.provider",
    value: "opaque",
    why: "evidence of no known form gives no assurance",
    code: "CONFIG_NOT_SUPPORTED",
  },
  {
    key: "attestation.required_provenance_kind",
    why: "this version does not verify who published a tool server",
    code: "CONFIG_NOT_SUPPORTED",
  },
  { key: "agent_manifest", why: "this version does not read agent manifests", code: "CONFIG_NOT_SUPPORTED" },
  { key: "catalog_reload_interval_seconds", ...NO_CATALOG_RELOAD },
  { key: "catalog_reload_path", ...NO_CATALOG_RELOAD },
  {
    key: "conformance_profile",
    why: "no profile is satisfied: aarm binds every receipt to an agent identity, which this version does not do",
    code: "CONFORMANCE_PROFILE_UNSATISFIED",
  },
];

/**
 * The file without its unsupported keys, if none of them enables anything.
 * @throws CmcpError with the key's code, naming the first key that enables its feature
 */
export function refuseUnsupportedKeys(written: unknown, file: string): unknown {
  return UNSUPPORTED_KEYS.reduce((at, { key, value: refused, why, code }) => {
    const [rest, value] = taken(at, key.split("."));
    const asks = refused === undefined ? !asksForNothing(value) : value === refused;
    if (!asks) return refused === undefined ? rest : at;
    throw new CmcpError(code, `${file}: ${key}: ${why}`, { detail: { file, key } });
  }, written);
}

/** Removes the value at a path. @returns the remaining mapping, and the value */
function taken(from: unknown, [step = "", ...steps]: readonly string[]): readonly [rest: unknown, value: unknown] {
  if (!isMapping(from) || !Object.hasOwn(from, step)) return [from, undefined];
  const { [step]: member, ...others } = from;
  if (steps.length === 0) return [others, member];
  const [rest, value] = taken(member, steps);
  return [{ ...from, [step]: rest }, value];
}

/** True for no value, an empty section, or a section with `enabled: false`. */
function asksForNothing(value: unknown): boolean {
  if (!isMapping(value)) return value === undefined || value === null;
  return value["enabled"] === false || Object.values(value).every((member) => member === null);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
