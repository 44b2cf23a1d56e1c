import { createHash } from "node:crypto";
import { MAX_REQUEST_BYTES, requestBytes, requestSigningInput, type ApprovalRequest } from "@cmcp/approval";
import { canonicalText, CmcpError, toBase64Url } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";
import type { Peer } from "@cmcp/mcp";
import type { Approvers } from "../access/approvers.ts";
import type { Call } from "./call.ts";
import {
  approvalKey,
  approvalRequestFor,
  isPlainCall,
  isShown,
  type Approvable,
  type ApprovalRequestPorts,
} from "./approval-request.ts";
import { sealApprovalState, type ApprovalStates } from "./approval-state.ts";
import type { CallDisclosure } from "./disclose.ts";
import { refuse, type Detail, type Ending, type HeldResult, type Refusal } from "./ending.ts";
import type { PendingApproval, PendingApprovals } from "./pending-approvals.ts";
import type { Permit } from "./permit.ts";
import type { Rules } from "./rules.ts";
import type { CallApproval } from "./tasks.ts";

/** What asking for approvals needs. */
export interface ApprovalPorts extends ApprovalRequestPorts {
  readonly approvers: Pick<Approvers, "eligible">;
  readonly pending: PendingApprovals;
  /** States of requests that wait for approvals: the agent's URL elicitation comes back with one. */
  readonly states: ApprovalStates;
  /** Ed25519, by the instance's key. */
  readonly sign: (message: Uint8Array) => Uint8Array;
  /** Tells people that a request waits. It returns at once, and throws nothing. */
  readonly notify: (request: ApprovalRequest) => void;
  /** Where a person is sent; `null` without a place. */
  readonly url: string | null;
  /** Monotonic milliseconds: the host does not set this clock. */
  readonly monotonic: () => number;
}

type Asked = Pick<Peer, "input" | "capabilities">;

/** In place of a rule in the key of a call whose result is held: rules have no control characters in their names. */
const HELD = "\u0000deliver_result";
const NOT_DELIVERED: Omit<Refusal, "rule"> = {
  code: "RESULT_WITHHELD",
  message: "policy does not let this result be delivered",
};

/**
 * A call's approvals. The decision asks whether a refusal is lifted. What is then refused waits for approvals, and what is then permitted
 * uses them up. Nothing is awaited between, so that two calls never share an approval.
 */
export class CallApprovals {
  readonly #ports: ApprovalPorts;
  readonly #call: Call;
  readonly #askedFor: string | null;
  readonly #lifted: PendingApproval[] = [];
  #continued: CallApproval | null = null;

  /** What an owner permitted in advance. */
  readonly disclosure: CallDisclosure;

  /** @param askedFor the approval whose URL the agent was sent to by the answer that this request repeats */
  constructor(ports: ApprovalPorts, call: Call, disclosure: CallDisclosure, askedFor: string | null = null) {
    this.disclosure = disclosure;
    this.#ports = ports;
    this.#call = call;
    this.#askedFor = askedFor;
  }

  /** The result of this very call that waits for approvals, or was approved or denied; `null` if there is none. */
  get held(): HeldResult | null {
    return this.#heldApproval()?.held ?? null;
  }

  /**
   * The ending of a repeated call whose result is held. Nothing is sent again.
   * @param deliver decides the delivery again, on what is known today, without these refusals
   */
  deliverHeld(peer: Asked, deliver: (held: HeldResult, lifted: ReadonlySet<string>) => Ending): Ending {
    const waiting = this.#heldApproval();
    if (waiting?.held === undefined) throw new CmcpError("INTERNAL", "a result that is held is gone");
    const { held, request } = waiting;
    if (this.#ports.pending.standing(waiting)?.state !== "approved")
      return this.#ending(refuse(held.ending.target, { ...NOT_DELIVERED, rule: request.rule }), waiting, peer);
    const { held: _, approvable: __, ...ending } = deliver(held, new Set([request.rule]));
    if (ending.decision === "deny") return { ...ending, sent: false };
    this.#lifted.push(waiting);
    return { ...ending, detail: { ...ending.detail, ...this.use().detail, delivered_call: request.call_id } };
  }

  #heldApproval(): PendingApproval | undefined {
    const { pending } = this.#ports;
    return pending.isEmpty || !isShown(this.#call) ? undefined : pending.ofKey(approvalKey(this.#call, HELD));
  }

  /** The ending of a call whose result policy does not deliver. Where approvals can deliver it, it is held for them. */
  hold(ending: Ending, peer: Asked): Ending {
    const { held, ...withheld } = ending;
    if (held === undefined) return ending;
    const asked = this.require(ending, peer);
    if (asked === ending) return withheld;
    const { decision, outcome, detail } = asked;
    return { ...withheld, decision, outcome, detail };
  }

  /**
   * Whether approvals lift this refusal of this call. A task's states and result are those of the call that made it. Answers to its server are
   * not, since who approved the call was not shown them.
   */
  lifts(refusal: Approvable): boolean {
    const { task, request } = this.#call;
    const made = request.method === "tasks/update" ? undefined : task?.approval;
    if (isOfRules(made, this.#call) && made.rules.has(refusal.rule)) {
      this.#continued = made;
      return true;
    }
    const { pending } = this.#ports;
    const found = isShown(this.#call) ? pending.ofKey(approvalKey(this.#call, refusal.rule)) : undefined;
    if (found === undefined || pending.standing(found)?.state !== "approved") return false;
    this.#lifted.push(found);
    return true;
  }

  /** Whether an owner's permission lifts this refusal of this call. */
  discloses(refusal: NonNullable<Ending["disclosable"]>, target: Target): boolean {
    return this.disclosure.lifts(refusal, target);
  }

  /** Uses up what lifted the refusals of a permitted call. @returns what the entry says of it, and what a task is told of it */
  use(): Pick<Permit, "approval"> & { readonly detail: Detail } {
    const { pending } = this.#ports;
    if (this.#lifted.length === 0)
      return { detail: this.#continued === null ? {} : { approval_continued: this.#continued.ids } };
    const approvers = this.#lifted.flatMap((one) => {
      const standing = pending.standing(one);
      if (standing?.state !== "approved" || !pending.use(one))
        throw new CmcpError("INTERNAL", "an approval that lifted a refusal is gone");
      return standing.approvers;
    });
    const ids = this.#lifted.map(({ request }) => request.approval_id).join(",");
    const rules = new Set(this.#lifted.map(({ request }) => request.rule));
    return {
      detail: { approval_id: ids, approved_by: [...new Set(approvers)].join(",") },
      approval: { ids, rules, ...hashesOf(this.#call) },
    };
  }

  /** Whether somebody could be asked to lift the refusal of this ending. Requests about tasks are not approved, but answers and results. */
  mayAsk({ approvable, target, held }: Ending): boolean {
    if (approvable === undefined || target === null || !isShown(this.#call)) return false;
    const { task, request } = this.#call;
    const isAsked = task === null || held !== undefined || request.method === "tasks/update";
    return isAsked && this.#ports.approvers.eligible(approvable.terms) !== null;
  }

  /** The ending of a call that was refused. Where approvals can lift the refusal, the call waits for them. */
  require(ending: Ending, peer: Asked): Ending {
    const { approvable, target, held, answers } = ending;
    if (approvable === undefined || !this.mayAsk(ending)) return ending;
    // What would be answered must be shown.
    if (this.#call.request.input !== null && answers === undefined) return ending;
    const { pending } = this.#ports;
    const key = approvalKey(this.#call, held === undefined ? approvable.rule : HELD);
    let waiting = pending.ofKey(key);
    if (waiting === undefined) {
      const made = this.#ask(ending, approvable, key);
      if (made === null) return ending;
      try {
        pending.add(made);
      } catch (thrown) {
        if (!(thrown instanceof CmcpError)) throw thrown;
        if (made.held !== undefined) return ending;
        return refuse(target, { rule: approvable.rule, code: thrown.code, message: thrown.message });
      }
      waiting = made;
      this.#ports.notify(made.request);
    }
    return this.#ending(ending, waiting, peer);
  }

  /** The request for approval; `null` where it is too large for an approver to read. */
  #ask(ending: Ending, approvable: Approvable, key: string): PendingApproval | null {
    const { seconds, monotonic, sign, approvers } = this.#ports;
    const eligible = approvers.eligible(approvable.terms) ?? [];
    const request = approvalRequestFor(this.#call, ending, { ...approvable, eligible }, this.#ports);
    const signed = canonicalText({ request, signature: toBase64Url(sign(requestSigningInput(request))) });
    if (Buffer.byteLength(signed) > MAX_REQUEST_BYTES) return null;
    const hash = `sha256:${createHash("sha256").update(requestBytes(request)).digest("hex")}`;
    const { held } = ending;
    const until = monotonic() + seconds * 1000;
    const { recorded } = this.#call;
    return { key, request, signed, hash, recorded, until, ...(held === undefined ? {} : { held }) };
  }

  /** What the agent is told: to wait, or that somebody denied it. */
  #ending(ending: Ending, waiting: PendingApproval, peer: Asked): Ending {
    const { pending, url } = this.#ports;
    const { approval_id, needed, approvers, expires_at } = waiting.request;
    const standing = pending.standing(waiting);
    const common = { approval_id, approval_request: waiting.hash };
    if (standing?.state === "denied") {
      const denied = denial(ending, approval_id, standing.reason);
      return { ...denied, detail: { ...ending.detail, ...denied.detail, ...common } };
    }
    const place = url === null ? null : `${url}${approval_id}`;
    const refused = refuse(ending.target, {
      rule: ending.rule,
      code: "APPROVAL_REQUIRED",
      message: waitingMessage(waiting, place),
      decision: "step_up",
      data: { approval: { approval_id, expires_at, ...(place === null ? {} : { url: place }) } },
    });
    const named = { approvals_needed: needed, approvers: approvers.join(",") };
    const detail = { ...ending.detail, ...refused.detail, ...common, ...named };
    const outcome = place === null ? null : this.#elicitation(approval_id, place, peer);
    return { ...refused, ...(outcome === null ? {} : { outcome }), detail };
  }

  /**
   * What sends the agent's person to a URL; `null` for an agent that shows none, whose request comes back without a state, or that was sent
   * there: clients repeat a request as soon as their user agreed to visit the URL, and give up after some rounds.
   */
  #elicitation(id: string, url: string, peer: Asked): Ending["outcome"] | null {
    const isShowing = peer.input === "retry" && peer.capabilities.elicitation?.url !== undefined;
    if (!isShowing || this.#askedFor === id || !isPlainCall(this.#call)) return null;
    const requestState = sealApprovalState(this.#call, id, this.#ports.states);
    if (requestState === null) return null;
    const params = { mode: "url", message: "A person must approve this call.", url, elicitationId: id };
    return { kind: "input", inputRequests: { [id]: { method: "elicitation/create", params } }, requestState };
  }
}

/** Models of some frameworks get this text alone, so that it has all that a person needs to find the call. */
function waitingMessage({ held, request }: PendingApproval, place: string | null): string {
  const what = held === undefined ? "the call" : "the result of the call";
  const end = new Date(request.expires_at * 1000).toISOString().replace(".000Z", "Z");
  const at = place === null ? "" : ` at ${place}`;
  return `${what} waits for a person to approve it, as approval ${request.approval_id}${at} until ${end}; repeat the call unchanged afterwards`;
}

/** The approvals that a call used whose entry has another one as `approval_id`: its result waits for that one. */
export function approvalBeside(permit: Pick<Permit, "detail">, ending: Pick<Ending, "detail">): Detail {
  const [used, waiting] = [permit.detail?.["approval_id"], ending.detail?.["approval_id"]];
  return used === undefined || waiting === undefined ? {} : { approval_used: used };
}

function denial(ending: Ending, approval_id: string, reason: string | null): Ending {
  return refuse(ending.target, {
    rule: ending.rule,
    code: "APPROVAL_DENIED",
    message: reason === null ? "a person denied this call" : `a person denied this call: ${reason}`,
    data: { approval: { approval_id, ...(reason === null ? {} : { reason }) } },
  });
}

/** The rules that a call is decided by, as approvals name them. */
function hashesOf({ policy, catalog }: Rules): Pick<CallApproval, "policyHash" | "catalogHash"> {
  return { policyHash: policy.bundle.hash, catalogHash: catalog.hash };
}

/** Whether a task was approved under the policy and the catalog that its call is decided by. */
function isOfRules(made: CallApproval | undefined, rules: Rules): made is CallApproval {
  const { policyHash, catalogHash } = hashesOf(rules);
  return made?.policyHash === policyHash && made.catalogHash === catalogHash;
}
