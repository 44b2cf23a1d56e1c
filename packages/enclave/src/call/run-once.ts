import type { CallKey, Receipt } from "@cmcp/audit";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { refused, withGatewayMembers, type AgentRequest, type Peer, type RpcBody } from "@cmcp/mcp";
import type { Turns } from "@cmcp/wire";
import type { EndedKey, KeyedCalls } from "../record/keyed-calls.ts";
import type { AnswerHolder, HeldAnswers } from "./held-answers.ts";
import type { IncomingCall } from "./pipeline.ts";

/** Where an answer says what became of the call with its idempotency key. */
export const CALL_META_KEY = "cmcp.gateway/call";

/** What running calls once needs. */
export interface RunOncePorts {
  readonly keyed: Pick<KeyedCalls, "take" | "ended">;
  readonly held: Pick<HeldAnswers, "hold" | "find">;
  /** Turns of reading the record. */
  readonly turns: Pick<Turns, "next">;
}

/**
 * Runs each call with an idempotency key at most once. The key is taken before anything is awaited. A request that comes again gets
 * the answer while it is held, and then how the call ended, with its receipt.
 */
export class RunOnce {
  readonly #ports: RunOncePorts;

  constructor(ports: RunOncePorts) {
    this.#ports = ports;
  }

  /**
   * Runs a call, or answers for the one that has its key.
   * @throws CmcpError `IDEMPOTENCY_RUNNING`, `IDEMPOTENCY_CONFLICT`, `IDEMPOTENCY_KEY_REFUSED`; the call does not run
   */
  async run(
    { recorded, request }: IncomingCall,
    peer: Peer,
    work: (keyed: CallKey | null) => Promise<RpcBody>,
  ): Promise<RpcBody> {
    const { idempotencyKey } = request;
    if (idempotencyKey === null) return await work(null);
    const { keyed, held } = this.#ports;
    const { principalId: principal, id: session } = recorded.session;
    const taken = keyed.take(principal, idempotencyKey, comparable(request));
    const holder = { principal, session, chain: recorded.id, era: peer.era };
    if (taken.kind === "ended") return await this.#again(taken, holder, peer);
    try {
      const body = await work(taken.call);
      held.hold(taken.call.key, holder, body);
      return body;
    } finally {
      taken.release();
    }
  }

  /** The answer to a request whose call has ended. */
  async #again(ended: EndedKey, holder: AnswerHolder, peer: Peer): Promise<RpcBody> {
    const held = this.#ports.held.find(ended.key, holder);
    if (held !== undefined) return held;
    await this.#ports.turns.next();
    const call = await this.#ports.keyed.ended(ended);
    if (call === null) throw new CmcpError("IDEMPOTENCY_RUNNING", "the end of the call is not stored yet");
    const body = peer.present(
      refused("IDEMPOTENCY_ENDED", "the call with this idempotency key has ended, and its answer is not held"),
    );
    // The receipt is the call's, and not this answer's: so it stands below.
    return withGatewayMembers(body, { [CALL_META_KEY]: { state: "ended", ...call, receipt: toJson(call.receipt) } });
  }
}

function toJson(receipt: Receipt | null): JsonObject | null {
  return receipt === null ? null : { ...receipt };
}

/** What two requests must have in common to be the same. Ids of messages and trace contexts differ when a request is repeated. */
function comparable(repeated: AgentRequest): object {
  const { requestId: _id, trace: _trace, idempotencyKey: _key, ...request } = repeated;
  return request;
}
