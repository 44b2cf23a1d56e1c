import { PROBLEMS, type ManifestProblem } from "@cmcp/manifest";
import type { SessionManifest } from "../access/manifests.ts";
import type { DecisionInput } from "./call.ts";
import { proceed, refuse, type Step } from "./ending.ts";

/** What checking a session's manifest needs. */
export interface ManifestCheckPorts {
  /** Why a manifest counts no more; `null` where it does. */
  readonly problemOf: (manifest: SessionManifest) => ManifestProblem | null;
}

/**
 * Refuses every call of a session whose manifest counts no more: it has expired or was revoked, the revocation list is over, or another
 * policy is in force than it names.
 * @param ports `null` where the configuration asks for no manifests
 */
export function checkManifest({ recorded }: DecisionInput, ports: ManifestCheckPorts | null): Step<null> {
  if (ports === null) return proceed(null);
  const { manifest } = recorded;
  const problem = manifest === null ? "key" : ports.problemOf(manifest);
  if (problem === null) return proceed(null);
  const message = `the agent manifest of the session does not count: ${PROBLEMS[problem]}`;
  return refuse(null, { rule: `agent_manifest:${problem}`, code: "AGENT_MANIFEST_BINDING_FAILED", message });
}
