import { CmcpError, untrusted } from "@cmcp/boundary";
import { MAX_MANIFEST_BYTES, MAX_REVOCATIONS_BYTES } from "@cmcp/manifest";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Turns } from "@cmcp/wire";
import type { Caller } from "../access/caller.ts";
import type { Manifests } from "../access/manifests.ts";
import { reportFault } from "../instance/stderr-events.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { SessionCloser } from "../record/session-closer.ts";
import type { Sessions } from "../record/sessions.ts";
import { json } from "./json-response.ts";
import { wholeBody } from "./whole-body.ts";

/** Path of revocation lists. A revocation key's signature authenticates them, not a bearer token. */
export const REVOCATIONS_PATH = "/manifest-revocations";

/** What presenting a manifest needs. */
export interface ManifestEndpointPorts {
  /** `null` where the configuration asks for no manifests. */
  readonly manifests: Pick<Manifests, "present" | "takeRevocations"> | null;
  readonly sessions: Pick<Sessions, "openSessionsOf">;
  readonly closing: Pick<SessionCloser, "close">;
  /** Turns of reading what a stranger sent. */
  readonly turns: Pick<Turns, "next">;
}

/**
 * `POST /manifest`: the authenticated caller presents its manifest. Sessions that it opens from here on are under it. Those that it has under
 * another one on the same channel are closed.
 * @throws CmcpError `AGENT_MANIFEST_MALFORMED`, `AGENT_MANIFEST_BINDING_FAILED`, `OVERLOADED`, `NOT_SUPPORTED`
 */
export async function presentManifest(
  { manifests, sessions, closing, turns }: ManifestEndpointPorts,
  request: HttpRequest,
  caller: Caller,
): Promise<HttpResponse> {
  const taking = configured(manifests);
  const bytes = await wholeBody(request, MAX_MANIFEST_BYTES, "a manifest");
  await turns.next();
  const { facts } = taking.present(caller, untrusted(bytes));
  const replaced = sessions
    .openSessionsOf(caller.principalId)
    .filter((recorded) => isReplaced(recorded, caller, facts.thumbprint));
  for (const recorded of replaced) closing.close(recorded).catch(reportFault);
  return json({
    thumbprint: facts.thumbprint,
    manifest_id: facts.manifestId,
    agent_id: facts.agentId,
    expires_at: new Date(facts.expiresAt).toISOString(),
  });
}

function isReplaced({ session, manifest }: RecordedSession, caller: Caller, thumbprint: string): boolean {
  return session.channel === caller.channel && manifest?.facts.thumbprint !== thumbprint;
}

/**
 * `POST /manifest-revocations`: a revocation key's signed list replaces the one in force.
 * @throws CmcpError `METHOD_NOT_ALLOWED`, `AGENT_MANIFEST_REVOCATIONS_REFUSED`, `MCP_PAYLOAD_TOO_LARGE`, `NOT_SUPPORTED`
 */
export async function takeRevocations(
  { manifests, turns }: Pick<ManifestEndpointPorts, "manifests" | "turns">,
  request: HttpRequest,
): Promise<HttpResponse> {
  if (request.method !== "POST") throw new CmcpError("METHOD_NOT_ALLOWED", `${REVOCATIONS_PATH} takes POST`);
  const taking = configured(manifests);
  const bytes = await wholeBody(request, MAX_REVOCATIONS_BYTES, "a revocation list");
  await turns.next();
  const { sequence, valid_until } = taking.takeRevocations(untrusted(bytes));
  return json({ sequence, valid_until });
}

function configured<T>(manifests: T | null): T {
  if (manifests !== null) return manifests;
  throw new CmcpError("NOT_SUPPORTED", "the launch document has no agent_manifest, so no manifest is looked at");
}
