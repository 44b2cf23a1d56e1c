import { webcrypto } from "node:crypto";
import {
  MAX_ANSWER_BYTES,
  notPermitted,
  readSignedPermission,
  sourceScopeOf,
  verifyPermission,
  type Approver,
  type DisclosurePermission,
} from "@cmcp/approval";
import { CmcpError, untrusted } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Approvers } from "../access/approvers.ts";
import { permissionDetail } from "../call/disclose.ts";
import { isOver, type Disclosures, type GivenPermission } from "../call/disclosures.ts";
import type { Journal } from "../record/journal.ts";
import type { Recorder } from "../record/recorder.ts";
import type { Sessions } from "../record/sessions.ts";
import { json } from "./json-response.ts";
import type { Ingress } from "./sealed-requests.ts";
import { wholeBody } from "./whole-body.ts";

/** Where owners give permissions. A token that an approver gets with a statement of access authenticates them. */
export const DISCLOSURES_PATH = "/disclosures";

/** What the endpoint of owners needs. */
export interface DisclosureEndpointPorts {
  readonly approvers: Pick<Approvers, "authenticate">;
  readonly disclosures: Disclosures;
  readonly recorder: Pick<Recorder, "noteInAll">;
  readonly sessions: Pick<Sessions, "openSessionsOf">;
  readonly journal: Pick<Journal, "assertWritable" | "cosigned">;
  /** RFC 7638 thumbprint of the instance's key, base64url. */
  readonly instance: string;
  /** Hash of the policy in force. */
  readonly policyHash: () => string;
  /** Whether this is what a tool of the catalog in force is as a recipient. */
  readonly isRecipient: (recipient: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Whether requests may come in the clear: in development. */
  readonly plainAllowed: boolean;
}

/**
 * `POST /disclosures`: an owner permits one call in advance. It is recorded in the open sessions of the agent's principal, and counts from
 * then on. Where it is used it is recorded in any case.
 *
 * @throws CmcpError `SEAL_REQUIRED`, `METHOD_NOT_ALLOWED`, `MCP_PAYLOAD_TOO_LARGE`, `APPROVAL_ACCESS_INVALID`, `APPROVAL_MALFORMED`,
 *   `DISCLOSURE_PERMISSION_INVALID`, `DISCLOSURE_PERMISSION_REPLAYED`, `OVERLOADED`
 */
export async function disclosures(
  parts: DisclosureEndpointPorts,
  request: HttpRequest,
  ingress: Ingress,
): Promise<HttpResponse> {
  if (ingress.channel === "plain" && !parts.plainAllowed)
    throw new CmcpError("SEAL_REQUIRED", "owners' requests come only under the seal");
  const owner = parts.approvers.authenticate(request.headers.get("authorization"));
  ingress.authenticated();
  if (request.method !== "POST") throw new CmcpError("METHOD_NOT_ALLOWED", "this path takes POST");
  const bytes = await wholeBody(request, MAX_ANSWER_BYTES, "a disclosure permission");
  const given = await givenIn(parts, owner, bytes);
  await take(parts, given);
  const { request_id, not_before, expires_at } = given.signed.permission;
  return json({ request_id, not_before, expires_at });
}

/** Reads and verifies a permission. */
async function givenIn(parts: DisclosureEndpointPorts, owner: Approver, bytes: Uint8Array): Promise<GivenPermission> {
  const { salt, ...signed } = readSignedPermission(untrusted(bytes));
  await verifyPermission(webcrypto, owner, signed);
  requireOfHere(parts, signed.permission);
  return { signed, salt, owner };
}

/** What a permission says of instance, policy, recipient and time is so here, now. */
function requireOfHere(
  { instance, policyHash, isRecipient, now }: DisclosureEndpointPorts,
  permission: DisclosurePermission,
): void {
  if (!permission.source_scope.startsWith(sourceScopeOf(instance, "")))
    throw notPermitted("the permission is for another instance", "instance");
  if (permission.policy_version !== policyHash())
    throw notPermitted("the permission is for another policy than the one in force", "policy");
  if (!isRecipient(permission.recipient)) throw notPermitted("the catalog has no such recipient", "recipient");
  if (isOver(permission, now())) throw notPermitted("the permission has expired", "time");
}

/** Records a permission, and lets it count once it is stored and, where there are witnesses, cosigned. */
async function take(parts: DisclosureEndpointPorts, given: GivenPermission): Promise<void> {
  const { journal, recorder, sessions, disclosures: known } = parts;
  const { permission } = given.signed;
  journal.assertWritable();
  known.begin(given);
  try {
    const open = sessions.openSessionsOf(permission.workload);
    await recorder.noteInAll(open, { entry_type: "approval", detail: permissionDetail(given) }).stored;
    await journal.cosigned();
  } catch (thrown) {
    known.abandon(permission);
    throw thrown;
  }
  if (!known.settle(permission)) throw notPermitted("the permission expired while it was recorded", "time");
}
