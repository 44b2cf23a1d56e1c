import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { AbortScope } from "../../abort-scope.ts";
import type { RequestId, RpcRequest } from "../../jsonrpc/message.ts";
import { RPC, errorText, resultText } from "../../jsonrpc/reply.ts";
import type { Peer } from "../../peer.ts";
import { raceAbort } from "../abort.ts";
import { askableParams } from "../client-methods.ts";
import { UpstreamRefusal } from "../refusal.ts";

/** Why a request of the server's is answered no more: it said so itself, and waits for no answer. */
const CANCELLED_BY_SERVER = new CmcpError("REQUEST_CANCELLED", "the tool server cancelled its request");

/** Whom a server asks. Nobody waits for an answer to be sent once the signal has aborted. */
export type QuestionTarget = Pick<Peer, "signal" | "capabilities" | "ask">;

/** The requests of a server's own in one session that are not answered yet. */
export class ServerRequests {
  readonly #open = new Map<RequestId, AbortScope>();

  /**
   * Answers one in its own time, so that nothing else of the server waits for it. One whose id is open was heard before.
   * @param over aborts when nobody needs the answer any more
   * @param send sends the answer. A server that does not take it is left to wait
   */
  async answer(
    request: RpcRequest,
    peer: QuestionTarget,
    over: AbortSignal,
    send: (answer: string) => Promise<unknown>,
  ): Promise<void> {
    if (this.#open.has(request.id)) return;
    const scope = new AbortScope(over);
    this.#open.set(request.id, scope);
    try {
      const answer =
        request.method === "ping" ? resultText(request.id, {}) : await answerTo(request, peer, scope.signal);
      if (answer !== null) await send(answer);
    } catch (thrown) {
      if (!(thrown instanceof CmcpError)) throw thrown;
    } finally {
      scope.release();
      this.#open.delete(request.id);
    }
  }

  /** Ends the request that the server's `notifications/cancelled` names; one that is not open may just have been answered. */
  cancel(params: JsonObject | null): void {
    const id = params?.requestId;
    if (typeof id === "string" || typeof id === "number") this.#open.get(id)?.abort(CANCELLED_BY_SERVER);
  }
}

/**
 * Puts what a client can be asked for to the caller; `null` when nothing is to be answered. To the server, a caller that
 * cannot be asked does not know the method.
 */
async function answerTo(request: RpcRequest, peer: QuestionTarget, until: AbortSignal): Promise<string | null> {
  try {
    const params = askableParams(peer.capabilities, request.method, request.params ?? {});
    return resultText(request.id, await raceAbort(peer.ask(request.method, params, until), until));
  } catch (thrown) {
    if (peer.signal.aborted || until.reason === CANCELLED_BY_SERVER) return null;
    return thrown instanceof UpstreamRefusal
      ? errorText(request.id, thrown.rpcCode, thrown.rpcMessage, null)
      : errorText(request.id, RPC.refused, "the request was not answered", null);
  }
}
