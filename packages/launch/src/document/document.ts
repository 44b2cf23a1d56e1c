import { createHash } from "node:crypto";
import {
  CmcpError,
  canonicalBytes,
  examine,
  parseJson,
  untrusted,
  type JsonLimits,
  type JsonValue,
  type Untrusted,
  schemaProblem,
} from "@cmcp/boundary";
import { requirePrincipals } from "@cmcp/identity/principals";
import { profileProblem } from "../config/agent-manifest.ts";
import { catalogChangeProblem } from "../config/catalog-keys.ts";
import { requireLimitedPrincipals } from "../config/limits.ts";
import { reloadProblem } from "../config/reload.ts";
import { refuseSecrets, refuseSecretsOfServers } from "../config/secrets.ts";
import { launchDocumentSchema, MAX_LAUNCH_DOCUMENT, type LaunchDocument } from "./schema.ts";

const LIMITS: JsonLimits = { maxBytes: MAX_LAUNCH_DOCUMENT, maxDepth: 80, maxItems: 1_000_000 };

function invalid(why: string, cause?: unknown): CmcpError {
  return new CmcpError("LAUNCH_DOCUMENT_INVALID", `launch document: ${why}`, { cause });
}

/**
 * Canonical bytes (RFC 8785) of a launch document.
 * @throws CmcpError `LAUNCH_DOCUMENT_INVALID` when the enclave would refuse it
 */
export function buildLaunchDocument(document: LaunchDocument): Uint8Array<ArrayBuffer> {
  const checked = launchDocumentSchema.safeParse(document);
  if (!checked.success) throw invalid(schemaProblem(checked.error).text);
  const bytes = canonicalBytes(checked.data);
  parseLaunchDocument(untrusted(bytes));
  return bytes;
}

/**
 * Lowercase hex SHA-256 (32 bytes, for HOST_DATA) or SHA-384 (48 bytes, for MRCONFIGID) of a document's exact bytes.
 */
export function launchDigest(bytes: Uint8Array, algorithm: "sha256" | "sha384" = "sha256"): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

/**
 * Reads a launch document. Only the one canonical spelling is accepted, so that a digest names a meaning.
 * The digest must have been taken over these bytes before.
 * @throws CmcpError `LAUNCH_DOCUMENT_INVALID`, `POLICY_RELOAD_PINNED_HASH`, `CONFORMANCE_PROFILE_UNSATISFIED`, `CONFIG_SECRET`, `CONFIG_INVALID` for
 * subjects of JWTs and rules that stand for no measured principal
 */
export function parseLaunchDocument(input: Untrusted<Uint8Array>): LaunchDocument {
  const value = readCanonical(input);
  const parsed = launchDocumentSchema.safeParse(value);
  if (!parsed.success) throw invalid(schemaProblem(parsed.error).text);
  const { config, pins, trust_anchors } = parsed.data;
  const problem = reloadProblem(config.policy_reload_interval_seconds, {
    policyHash: pins.policy_hash ?? null,
    policySigningKey: trust_anchors.policy_signing_key ?? null,
  });
  if (problem !== null) throw problem;
  const unchangeable = catalogChangeProblem(config.enclave);
  if (unchangeable !== null) throw unchangeable;
  const unsatisfied = profileProblem(config);
  if (unsatisfied !== null) throw unsatisfied;
  refuseSecrets("launch document: config.", config);
  refuseSecretsOfServers("launch document: catalog.", parsed.data.catalog);
  requirePrincipals(config.enclave.identity, new Set(config.enclave.principals.map(({ id }) => id)));
  requireLimitedPrincipals(config.enclave);
  return parsed.data;
}

function readCanonical(input: Untrusted<Uint8Array>): JsonValue {
  let canonical: Uint8Array;
  let value: JsonValue;
  try {
    value = parseJson(input, LIMITS);
    canonical = canonicalBytes(value);
  } catch (thrown) {
    throw invalid(thrown instanceof CmcpError ? thrown.message : "not JSON", thrown);
  }
  if (Buffer.compare(canonical, examine(input)) !== 0) throw invalid("not in canonical form (RFC 8785)");
  return value;
}
