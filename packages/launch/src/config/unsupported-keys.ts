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
    value: "tee-attested",
    why: "this version does not verify the evidence of servers",
    code: "CONFIG_NOT_SUPPORTED",
  },
  {
    key: "agent_manifest.authenticated_subject",
    why: "the subject of a manifest is the authenticated caller, and no configuration names another",
    code: "CONFIG_NOT_SUPPORTED",
  },
  {
    key: "agent_manifest.path",
    why: "each agent presents its own manifest (POST /manifest), so that another manifest needs no other launch document",
    code: "CONFIG_NOT_SUPPORTED",
  },
  {
    key: "agent_manifest.revocation_list_path",
    why: "a list that nobody signed revokes nothing for sure; sign one with cmcp manifest revocations",
    code: "CONFIG_NOT_SUPPORTED",
  },
  {
    key: "agent_manifest.trust_anchor_path",
    why: "the keys are measured, so they stand in agent_manifest.anchors",
    code: "CONFIG_NOT_SUPPORTED",
  },
  {
    key: "enclave.identity.x509_svid",
    why: "no TLS of agents ends in the enclave, which so sees no certificate of theirs; accept JWT-SVIDs in enclave.identity.spiffe",
    code: "CONFIG_NOT_SUPPORTED",
  },
  {
    key: "catalog_reload_path",
    why: "another catalog takes the place of the file at catalog_path, with its approvals beside it",
    code: "CATALOG_RESTART_REQUIRED",
  },
];

/**
 * The file without its unsupported keys, if none of them enables anything.
 * @throws CmcpError with the key's code, naming the first key that enables its feature
 */
export function refuseUnsupportedKeys(written: unknown, file: string): unknown {
  return UNSUPPORTED_KEYS.reduce((at, { key, value: refused, why, code }) => {
    const [rest, value] = removeMember(at, key.split("."));
    const asks = refused === undefined ? !asksForNothing(value) : value === refused;
    if (!asks) return refused === undefined ? rest : at;
    throw new CmcpError(code, `${file}: ${key}: ${why}`, { detail: { file, key } });
  }, written);
}

/** Removes the value at a path, and a section that had nothing else. @returns the remaining mapping, and the value */
function removeMember(
  from: unknown,
  [step = "", ...steps]: readonly string[],
): readonly [rest: unknown, value: unknown] {
  if (!isMapping(from) || !Object.hasOwn(from, step)) return [from, undefined];
  const { [step]: member, ...others } = from;
  if (steps.length === 0) return [others, member];
  const [rest, value] = removeMember(member, steps);
  return [rest !== member && isEmpty(rest) ? others : { ...from, [step]: rest }, value];
}

/** True for no value, an empty section, or a section with `enabled: false`. */
function asksForNothing(value: unknown): boolean {
  if (!isMapping(value)) return value === undefined || value === null;
  return value["enabled"] === false || Object.values(value).every((member) => member === null);
}

function isEmpty(value: unknown): boolean {
  return isMapping(value) && Object.keys(value).length === 0;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
