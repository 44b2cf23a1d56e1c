import { CmcpError } from "@cmcp/boundary";
import { anchorsSchema } from "@cmcp/manifest/anchors";
import * as z from "zod";
import { publicKey } from "./fields.ts";

/** The conformance profiles that a configuration may name. */
export const CONFORMANCE_PROFILES = ["aarm"] as const;
/** A conformance profile that a configuration may name. */
export const conformanceProfile = z.enum(CONFORMANCE_PROFILES);

/** `agent_manifest`, which is measured as it is written. */
export const agentManifestSchema = z.strictObject({
  anchors: anchorsSchema.describe("Keys that may sign agent manifests."),
  revocation_keys: z
    .array(publicKey)
    .min(1)
    .max(64)
    .describe(
      "Ed25519 public keys, base64url, whose holders sign the list of revoked manifests (`cmcp manifest revocations`). Without a " +
        "list in force no manifest counts.",
    ),
  min_revocations_sequence: z
    .int()
    .positive()
    .optional()
    .describe(
      "Least sequence of a list that is taken, so that an instance that has just started takes none before it. Raise it with each launch " +
        "document. Lists of `cmcp manifest revocations` have seconds since 1970.",
    ),
});

/** What a profile is held to. */
interface ProfiledConfig {
  readonly conformance_profile?: string | undefined;
  readonly agent_manifest?: unknown;
  readonly attestation: { readonly enforcement_mode: string };
}

/**
 * What a configuration lacks for the profile that it names; `null` if it names none, or lacks nothing. `aarm`: every receipt is bound to an
 * agent identity, and no action goes on that policy denies.
 */
export function profileProblem({ conformance_profile, agent_manifest, attestation }: ProfiledConfig): CmcpError | null {
  if (conformance_profile === undefined) return null;
  const lacks =
    agent_manifest === undefined
      ? "agent_manifest, so that every receipt is bound to an agent identity"
      : attestation.enforcement_mode === "enforcing"
        ? null
        : "attestation.enforcement_mode: enforcing, so that no action goes on that policy denies";
  if (lacks === null) return null;
  return new CmcpError("CONFORMANCE_PROFILE_UNSATISFIED", `conformance_profile: ${conformance_profile} needs ${lacks}`);
}

/** @throws CmcpError of {@link profileProblem}, naming the file */
export function requireProfile(config: ProfiledConfig, file: string): void {
  const problem = profileProblem(config);
  if (problem === null) return;
  const key = "conformance_profile";
  throw new CmcpError(problem.code, `${file}: ${problem.message}`, { detail: { file, key } });
}
