import { createPublicKey } from "node:crypto";
import { CmcpError, fromBase64Url, fromHex, toBase64Url } from "@cmcp/boundary";

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says, checked. */
export interface EnvironmentSettings {
  /** CMCP_DEV_MODE=1. */
  readonly development: boolean;
  /** CMCP_BEARER_TOKEN; never part of any document. */
  readonly bearerToken: string | null;
  /** CMCP_POLICY_HASH, `sha256:` and 64 lowercase hex digits. */
  readonly policyHash: string | null;
  /** CMCP_CATALOG_HASH, in the same form. */
  readonly catalogHash: string | null;
  /**
   * CMCP_POLICY_SIGNING_KEY: the 32 bytes of the Ed25519 public key that policy bundles must be signed with, base64url.
   */
  readonly policySigningKey: string | null;
}

/** A pin: `sha256:` and 64 lowercase hex digits. */
export const HASH = /^sha256:[0-9a-f]{64}$/;
/** Printable ASCII without spaces, as an Authorization header can carry it (RFC 6750 section 2.1 is narrower). */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

function setting(env: Environment, name: string): string | null {
  const value = env[name];
  return value === undefined || value === "" ? null : value;
}

function pin(env: Environment, name: string): string | null {
  const value = setting(env, name);
  if (value !== null && !HASH.test(value)) {
    throw new CmcpError("CONFIG_INVALID", `environment: ${name}: must be sha256: and 64 lowercase hex digits`, {
      detail: { key: name },
    });
  }
  return value;
}

function signingKey(env: Environment): string | null {
  const value = setting(env, "CMCP_POLICY_SIGNING_KEY");
  if (value === null) return null;
  const key = readPublicKey(value);
  if (key !== undefined) return key;
  throw new CmcpError(
    "CONFIG_INVALID",
    "environment: CMCP_POLICY_SIGNING_KEY: must be an Ed25519 public key: base64url or hex of its 32 bytes, or PEM",
    { detail: { key: "CMCP_POLICY_SIGNING_KEY" } },
  );
}

function developmentMode(env: Environment): boolean {
  const value = setting(env, "CMCP_DEV_MODE");
  if (value !== null && value !== "0" && value !== "1") {
    throw new CmcpError("CONFIG_INVALID", "environment: CMCP_DEV_MODE: must be 1 or 0", {
      detail: { key: "CMCP_DEV_MODE" },
    });
  }
  return value === "1";
}

/**
 * Reads the variables that bear on a launch. Empty is unset.
 * @throws CmcpError `CONFIG_INVALID` for a malformed value
 */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const bearerToken = setting(env, "CMCP_BEARER_TOKEN");
  if (bearerToken !== null && !TOKEN.test(bearerToken)) {
    throw new CmcpError(
      "CONFIG_INVALID",
      "environment: CMCP_BEARER_TOKEN: must be 1 to 4096 printable ASCII characters without spaces",
      { detail: { key: "CMCP_BEARER_TOKEN" } },
    );
  }
  return {
    development: developmentMode(env),
    bearerToken,
    policyHash: pin(env, "CMCP_POLICY_HASH"),
    catalogHash: pin(env, "CMCP_CATALOG_HASH"),
    policySigningKey: signingKey(env),
  };
}

const KEY_BYTES = 32;

function fromPem(text: string): string | undefined {
  try {
    const key = createPublicKey(text);
    return key.asymmetricKeyType === "ed25519" ? key.export({ format: "jwk" }).x : undefined;
  } catch {
    // Whatever is wrong with it, it is not a public key in PEM; the caller says so.
    return undefined;
  }
}

/**
 * An Ed25519 public key as base64url of its 32 bytes, from that, hex of them, or PEM (SubjectPublicKeyInfo);
 * `undefined` for anything else.
 */
function readPublicKey(written: string): string | undefined {
  const text = written.trim();
  if (text.startsWith("-----BEGIN PUBLIC KEY-----")) return fromPem(text);
  const bytes = text.length === KEY_BYTES * 2 ? fromHex(text) : fromBase64Url(text.replace(/=$/, ""));
  return bytes?.length === KEY_BYTES ? toBase64Url(bytes) : undefined;
}
