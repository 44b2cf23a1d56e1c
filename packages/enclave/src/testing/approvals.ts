import { webcrypto } from "node:crypto";
import { readRequest, type Approver, type ApprovalRequest } from "@cmcp/approval";
import { toBase64Url, untrusted } from "@cmcp/boundary";
import { Approvers } from "../access/approvers.ts";
import type { ApprovalPorts } from "../call/approve.ts";
import { ContentFindings } from "../call/content-findings.ts";
import { PendingApprovals } from "../call/pending-approvals.ts";
import { RequestStates } from "../call/request-state.ts";
import { SigningKey } from "../instance/signing-key.ts";

/** A clock that a test sets, in milliseconds. */
export interface TestClock {
  now: number;
}

/** Digest of the launch document. */
export const LAUNCH_DIGEST = `sha256:${"d".repeat(64)}`;

/** Approvals over these approvers, with what a test looks at. */
export function approvalsOf(approvers: readonly Approver[], { url = null }: { readonly url?: string | null } = {}) {
  const clock: TestClock = { now: 1_000_000 };
  const key = new SigningKey();
  const instance = toBase64Url(key.thumbprint);
  const monotonic = (): number => clock.now;
  const known = new Approvers(approvers, { instance, launchDigest: LAUNCH_DIGEST, now: monotonic, monotonic });
  const pending = new PendingApprovals(monotonic);
  const notified: ApprovalRequest[] = [];
  const ports: ApprovalPorts = {
    approvers: known,
    pending,
    content: new ContentFindings(null),
    states: new RequestStates(monotonic),
    sign: (message) => key.sign(message),
    origin: "gateway.example/1",
    instance,
    seconds: 900,
    url,
    notify: (request) => void notified.push(request),
    now: monotonic,
    monotonic,
  };
  return { clock, key, approvers: known, pending, ports, instance, notified };
}

/** A gateway without approvers. */
export function noApprovals(): ApprovalPorts {
  return approvalsOf([]).ports;
}

/** The request that waits under an id, as an approver reads it. */
export function requestUnder(pending: PendingApprovals, id: string): ApprovalRequest {
  const signed = pending.ofId(id)?.signed ?? "";
  return readRequest(untrusted(new TextEncoder().encode(signed))).request;
}

/** Node's WebCrypto. */
export const CRYPTO = webcrypto;
