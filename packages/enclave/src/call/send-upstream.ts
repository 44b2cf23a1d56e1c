import { CmcpError } from "@cmcp/boundary";
import { approvedOf } from "@cmcp/catalog";
import { governedMethod, type UpstreamAnswer, type UpstreamRequest } from "@cmcp/mcp";
import type { Upstreams } from "../servers/upstreams.ts";
import type { Call } from "./call.ts";
import { cancellationError, fail, proceed, type Step } from "./ending.ts";
import { sendWithInput } from "./send-with-input.ts";
import type { InspectedPeer } from "./inspected-peer.ts";
import type { Permit } from "./permit.ts";
import type { Input } from "./resume-input.ts";

/** What sending a request needs. */
export interface SendPorts {
  readonly upstreams: Pick<Upstreams, "request">;
  /** Subscribes the call's session to a resource. */
  readonly subscribe: (call: Call, permit: Permit, request: UpstreamRequest, peer: InspectedPeer) => Promise<void>;
}

const ACKNOWLEDGED: UpstreamAnswer = { kind: "complete", result: {} };

/** Sends the request, and answers the server's requests for input. */
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
    if (call.request.method === "resources/subscribe") {
      await ports.subscribe(call, permit, upstreamRequest(call, permit, null), peer);
      return proceed(ACKNOWLEDGED);
    }
    const send = (roundInput: Input): Promise<UpstreamAnswer> =>
      ports.upstreams.request(server, call.recorded.session, upstreamRequest(call, permit, roundInput), peer);
    return proceed(await sendWithInput(send, peer, input));
  } catch (thrown) {
    const why = peer.violation ?? (peer.signal.aborted ? cancellationError(thrown) : thrown);
    return fail(permit, why, peer.detail);
  }
}

/** The request to the server, built only from the values that policy decided on. */
export function upstreamRequest({ request, task }: Call, { target }: Permit, input: Input): UpstreamRequest {
  const { method } = request;
  const params = governedMethod(method).upstream({ request, taskId: task?.upstreamId ?? null, input });
  return { method, params, ...(target.kind === "tool" ? { inputSchema: target.tool.inputSchema } : {}) };
}
