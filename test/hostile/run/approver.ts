import { webcrypto } from "node:crypto";
import { untrusted } from "@cmcp/boundary";
import { isSignedBy, readRequest, type ApprovalRequest } from "../../../packages/approval/src/index.ts";
import { newApprover } from "../../../packages/approval/src/testing/statements.ts";
import type { Outcome, Request } from "../agent.ts";
import type { AgentAct, ApproverAnswer } from "../schedule/acts.ts";
import type { World } from "../world.ts";

/** A call that waits for the approver, and what its agent and the approver know of it. */
export interface Payment {
  readonly call: Extract<AgentAct, { kind: "call" }>;
  readonly mark: string;
  /** The approval that its agent was told of last; `null` where it was told of none. */
  id: string | null;
  /** The session that this approval is of; `null` for the one that a call without a handle goes to. */
  handle: string | null;
  /** The answer that the approver signed last. */
  signed: { readonly id: string; readonly body: object } | null;
  /** How the approval stands, as far as anybody was told. */
  standing: "waiting" | "approved" | "denied" | "unknown";
}

/** Sends a sealed request, with the host in between. */
type SendSealed = (request: Request) => Promise<Outcome>;

/** The approver of a schedule: it reads what waits, and signs what an honest approver signs, or what somebody else does. */
export class TestedApprover {
  readonly #world: World;
  readonly #send: SendSealed;
  readonly #refused: (outcome: Outcome) => null;
  /** Approvals whose answer was taken. */
  readonly #taken = new Set<string>();
  #access: { readonly pid: number; readonly token: string } | null = null;

  /** @param refused looks at a refusal */
  constructor(world: World, send: SendSealed, refused: (outcome: Outcome) => null) {
    this.#world = world;
    this.#send = send;
    this.#refused = refused;
  }

  /** Answers a payment. @param other a payment whose answer is sent to this one's place */
  async answer(how: ApproverAnswer, payment: Payment, other: Payment): Promise<boolean> {
    const { id } = payment;
    if (id === null) return false;
    switch (how) {
      case "approve":
      case "deny":
        return await this.#decide(how, payment, id);
      case "again":
        return payment.signed !== null && (await this.#sends(payment.signed.id, payment.signed.body));
      case "elsewhere":
        if (other.signed === null || other.signed.id === id) return false;
        return await this.#mustFail(id, other.signed.body, "an answer to another call");
      case "forged": {
        const request = await this.#shown(id);
        if (request === null) return false;
        const body = bodyOf(newApprover(this.#world.deployed.approver.approver.id).answer(request));
        return await this.#mustFail(id, body, "an answer under another key");
      }
    }
  }

  async #decide(decision: "approve" | "deny", payment: Payment, id: string): Promise<boolean> {
    const { approvals, deployed } = this.#world;
    const request = await this.#shown(id);
    // What the host changed of a call in the clear is not what the approver was asked about.
    if (request?.arguments["mark"] !== payment.mark) return false;
    const body = bodyOf(deployed.approver.answer(request, { decision }));
    if (decision === "approve") approvals.signs(payment.mark, id);
    payment.signed = { id, body };
    payment.standing = "unknown";
    const taken = await this.#sends(id, body);
    if (taken) payment.standing = decision === "approve" ? "approved" : "denied";
    return taken;
  }

  /** The request of an approval, as its instance signed it; `null` where the approver is shown none. */
  async #shown(id: string): Promise<ApprovalRequest | null> {
    const text = await this.#asked("GET", `/approvals/${id}`);
    if (text === null) return null;
    const { record, find } = this.#world;
    const signed = readRequest(untrusted(Buffer.from(text)));
    const { x = "" } = record.instances.get(signed.request.instance) ?? {};
    if (signed.request.approval_id === id && (await isSignedBy(webcrypto, x, signed))) return signed.request;
    find("approval", "an approver is shown a request that no instance signed");
    return null;
  }

  async #mustFail(id: string, body: object, what: string): Promise<false> {
    if ((await this.#asked("POST", `/approvals/${id}/answer`, body)) !== null)
      this.#world.find("approval", `${what} was taken`);
    return false;
  }

  /** Sends an answer. @returns whether it was taken */
  async #sends(id: string, body: object): Promise<boolean> {
    if ((await this.#asked("POST", `/approvals/${id}/answer`, body)) === null) return false;
    if (this.#taken.has(id)) this.#world.find("approval", "an answer was taken twice");
    this.#taken.add(id);
    return true;
  }

  /** What the enclave answers the approver: its text, or `null` for a refusal, silence, or words of the host. */
  async #asked(method: "GET" | "POST", path: string, body?: object): Promise<string | null> {
    const token = await this.#token();
    if (token === null) return null;
    return this.#textOf(await this.#send({ method, path, token, ...(body === undefined ? {} : { body }) }));
  }

  async #token(): Promise<string | null> {
    const { host, deployed, record } = this.#world;
    const { pid } = host;
    if (this.#access?.pid === pid) return this.#access.token;
    const writer = record.writing;
    if (writer === null) return null;
    const body = bodyOf(
      deployed.approver.access({
        instance: writer.name,
        launch_digest: writer.launchDigest,
        // Schedules before this one may have set the enclave's clock.
        issued_at: Math.floor(writer.time / 1000),
        random: Buffer.from(webcrypto.getRandomValues(new Uint8Array(16))).toString("base64url"),
      }),
    );
    const text = this.#textOf(await this.#send({ method: "POST", path: "/approvals/access", token: "none", body }));
    if (text === null) return null;
    const { token } = JSON.parse(text) as { readonly token: string };
    this.#access = { pid, token };
    return token;
  }

  #textOf(outcome: Outcome): string | null {
    if (outcome.kind !== "answer" || outcome.status !== 200) return this.#refused(outcome);
    return outcome.opened === true ? outcome.text : null;
  }
}

function bodyOf(statement: Uint8Array): object {
  return JSON.parse(Buffer.from(statement).toString()) as object;
}
