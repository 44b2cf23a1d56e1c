import { createHash } from "node:crypto";
import { outputBytes, recipientOf, sourceScopeOf } from "@cmcp/approval";
import { canonicalText, CmcpError } from "@cmcp/boundary";
import { approvedOf, nameOf, type Target } from "@cmcp/catalog";
import type { Approvers } from "../access/approvers.ts";
import type { Recorder } from "../record/recorder.ts";
import { workflowOf, type Call } from "./call.ts";
import type { Disclosures, GivenPermission, PermissionState } from "./disclosures.ts";
import { refuse, type Detail, type Ending } from "./ending.ts";

/** What lifting a refusal by an owner's permission needs. */
export interface DisclosurePorts {
  readonly approvers: Pick<Approvers, "eligible">;
  readonly disclosures: Disclosures;
  readonly recorder: Pick<Recorder, "note">;
  /** RFC 7638 thumbprint of the instance's key, base64url. */
  readonly instance: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

type Disclosable = NonNullable<Ending["disclosable"]>;
type Candidate = GivenPermission & { readonly state: PermissionState };

/** What a permission is held to, in this order. */
export const DISCLOSURE_CHECKS = [
  "policy",
  "rule",
  "owner",
  "recipient",
  "purpose",
  "labels",
  "time",
  "used",
  "bytes",
] as const;
/** What a permission does not fit in. */
export type DisclosureCheck = (typeof DISCLOSURE_CHECKS)[number];

/** One call's disclosure. What lifted its refusal is used up before anything is awaited, so that two calls never share a permission. */
export class CallDisclosure {
  readonly #ports: DisclosurePorts;
  readonly #call: Call;
  #lifting: Candidate | null = null;

  constructor(ports: DisclosurePorts, call: Call) {
    this.#ports = ports;
    this.#call = call;
  }

  /** Whether an owner permitted exactly this call to exactly this target. */
  lifts(refusal: Disclosable, target: Target): boolean {
    if (!this.#isExact || this.#call.recorded.isFull) return false;
    this.#lifting = this.#candidates().find((one) => this.#misfit(one, refusal, target) === null) ?? null;
    return this.#lifting !== null;
  }

  /** Uses up what lifted the refusal of a permitted call, and records it. @returns what the call's entry says of it */
  use(): Detail {
    if (this.#lifting === null) return {};
    const { disclosures, recorder } = this.#ports;
    const { signed, owner } = this.#lifting;
    const { permission } = signed;
    if (!disclosures.use(permission)) throw new CmcpError("INTERNAL", "a permission that lifted a refusal is gone");
    const { recorded, id } = this.#call;
    // The intent is stored after this entry, and nothing is sent before that.
    void recorder.note(recorded, {
      entry_type: "approval",
      call_id: id,
      detail: { ...permissionDetail(this.#lifting), ...labelDetail(this.#labels()) },
    });
    return {
      disclosure_id: permission.request_id,
      disclosed_by: owner.id,
      disclosed_output: permission.output_sha256,
    };
  }

  /** The ending of a call that an owner could have permitted: it says what is missing. */
  explain(ending: Ending): Ending {
    const { disclosable, target } = ending;
    if (disclosable === undefined || target === null || !this.#isExact) return ending;
    const { rule, owners } = disclosable;
    if (this.#ports.approvers.eligible({ needed: 1, approvers: owners, reason: null }) === null) return ending;
    const checks = this.#candidates().map((one) => this.#misfit(one, disclosable, target));
    const check = nearest(checks);
    const refused = refuse(target, {
      rule,
      ...(check === null
        ? {
            code: "DISCLOSURE_REQUIRED",
            message: "these data may leave only under an owner's permission for exactly this call",
          }
        : {
            code: "DISCLOSURE_MISMATCH",
            message: `an owner's permission for these data does not fit the call: ${check}`,
            data: { disclosure: { check } },
          }),
    });
    return { ...refused, detail: { ...ending.detail, ...refused.detail } };
  }

  /** Whether arguments of a tool are all that would leave: no answers to a server's questions, and no task. */
  get #isExact(): boolean {
    const { request, task } = this.#call;
    const { method, input, completion } = request;
    return method === "tools/call" && input === null && task === null && request.task === null && completion === null;
  }

  #candidates(): readonly Candidate[] {
    const { principalId } = this.#call.recorded.session;
    return this.#ports.disclosures.of(principalId).filter(({ state }) => state !== "recording");
  }

  /** What keeps a permission from lifting a refusal of this call; `null` where it fits. */
  #misfit({ signed, salt, state }: Candidate, { rule, owners }: Disclosable, target: Target): DisclosureCheck | null {
    const { permission } = signed;
    const { instance, now } = this.#ports;
    const { policy, policyRequest, request } = this.#call;
    const recipient = recipientOf(approvedOf(target).server.identity, nameOf(target));
    const fits: Readonly<Record<DisclosureCheck, () => boolean>> = {
      policy: () => permission.policy_version === policy.bundle.hash,
      rule: () => permission.source_scope === sourceScopeOf(instance, rule),
      owner: () => owners.includes(permission.principal),
      recipient: () => permission.recipient === recipient,
      purpose: () => permission.purpose === workflowOf(policyRequest),
      labels: () => this.#labels().every((label) => permission.labels.includes(label)),
      time: () => permission.not_before * 1_000 <= now(),
      used: () => state === "waiting",
      bytes: () => permission.output_sha256 === sha256(outputBytes(salt, request.arguments)),
    };
    return DISCLOSURE_CHECKS.find((check) => !fits[check]()) ?? null;
  }

  /** What the session may have seen. */
  #labels(): readonly string[] {
    return [...this.#call.recorded.session.maxCompartments];
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What an entry says of a permission: all of it that was signed, and the signature, so that anybody can verify it. */
export function permissionDetail({ signed, owner }: GivenPermission): Detail {
  const { permission } = signed;
  return {
    disclosure_id: permission.request_id,
    disclosure_permission: canonicalText(permission),
    approver: owner.id,
    approver_key: canonicalText(owner),
    ...("signature" in signed ? { approval_signature: signed.signature } : signed.assertion),
  };
}

function labelDetail(labels: readonly string[]): Detail {
  return labels.length === 0 ? {} : { disclosed_compartments: labels.join(",") };
}

/** The check that the best permission fails, which is the last one in their order. */
function nearest(checks: readonly (DisclosureCheck | null)[]): DisclosureCheck | null {
  const last = Math.max(-1, ...checks.map((check) => (check === null ? -1 : DISCLOSURE_CHECKS.indexOf(check))));
  return DISCLOSURE_CHECKS[last] ?? null;
}
