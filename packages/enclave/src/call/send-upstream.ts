import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { approvedOf } from "@cmcp/catalog";
import { governedMethod, UpstreamRefusal, type UpstreamAnswer, type UpstreamRequest } from "@cmcp/mcp";
import type { Upstreams } from "../servers/upstreams.ts";
import { sessionOf, type Call } from "./call.ts";
import { cancellationError, fail, proceed, type Step } from "./ending.ts";
import { sendWithInput } from "./send-with-input.ts";
import type { InspectedPeer } from "./inspected-peer.ts";
import type { Permit } from "./permit.ts";
import type { Input } from "./resume-input.ts";

/** What sending a request needs. */
export interface SendPorts {
  readonly upstreams: Pick<Upstreams, "request">;
  /** Answers a call of the gateway's search. */
  readonly search: (call: Call, signal: AbortSignal) => Promise<JsonObject>;
  /** Subscribes the call's session to a resource. */
  readonly subscribe: (call: Call, permit: Permit, request: UpstreamRequest, peer: InspectedPeer) => Promise<void>;
}

const ACKNOWLEDGED: UpstreamAnswer = { kind: "complete", result: {} };

/** Sends the request, and answers the server's requests for input. The gateway's own tool is answered here. */
export async function sendUpstream(
  call: Call,
  permit: Permit,
  { input, peer }: { readonly input: Input; readonly peer: InspectedPeer },
  ports: SendPorts,
): Promise<Step<UpstreamAnswer>> {
  const { server } = approvedOf(permit.target);
  try {
    if (peer.signal.aborted)
      throw new CmcpError("REQUEST_CANCELLED", "the caller went away before the request was sent", {
        detail: { sent: 0 },
      });
    if (server.transport === "gateway")
      return proceed({ kind: "complete", result: await ports.search(call, peer.signal) });
    if (call.request.method === "resources/subscribe") {
      await received(call, async () => {
        await ports.subscribe(call, permit, upstreamRequest(call, permit, null), peer);
        return null;
      });
      return proceed(ACKNOWLEDGED);
    }
    const send = async (roundInput: Input): Promise<UpstreamAnswer> => {
      const request = upstreamRequest(call, permit, roundInput);
      return await received(call, async () => await ports.upstreams.request(server, sessionOf(call), request, peer));
    };
    return proceed(await sendWithInput(send, peer, input));
  } catch (thrown) {
    const why = peer.violation ?? (peer.signal.aborted ? cancellationError(thrown) : thrown);
    return fail(permit, why, peer.detail);
  }
}

/** Asks a server, and commits to what it answers or refuses with. `null` is an answer without words of the server's. */
export async function received<T extends UpstreamAnswer | null>(
  { commitments: { upstream } }: Pick<Call, "commitments">,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    const answer = await ask();
    if (answer !== null) upstream.add(messageOf(answer));
    return answer;
  } catch (thrown) {
    if (thrown instanceof UpstreamRefusal) upstream.add(refusalOf(thrown));
    throw thrown;
  }
}

/** An answer as the record commits to it. */
function messageOf(answer: UpstreamAnswer): JsonObject {
  switch (answer.kind) {
    case "complete":
      return { result: answer.result };
    case "task":
      return { result: { task: answer.task } };
    case "input_required": {
      const { inputRequests, requestState } = answer;
      return {
        result: {
          ...(inputRequests === null ? {} : { inputRequests }),
          ...(requestState === null ? {} : { requestState }),
        },
      };
    }
  }
}

function refusalOf({ rpcCode: code, rpcMessage: message, rpcData: data }: UpstreamRefusal): JsonObject {
  return { error: { code, message, ...(data === undefined ? {} : { data }) } };
}

/** The request to the server, built only from the values that policy decided on. */
export function upstreamRequest({ request: asked, task }: Call, { target }: Permit, input: Input): UpstreamRequest {
  const { method } = asked;
  // The server knows the tool by its own name.
  const request =
    method === "tools/call" && target.kind === "tool" ? { ...asked, name: target.tool.nameAtServer } : asked;
  const params = governedMethod(method).upstream({ request, taskId: task?.upstreamId ?? null, input });
  return { method, params, ...(target.kind === "tool" ? { inputSchema: target.tool.inputSchema } : {}) };
}
