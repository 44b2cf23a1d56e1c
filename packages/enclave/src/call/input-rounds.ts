import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { CLIENT_METHODS, type InputGiven, type Peer, type UpstreamAnswer } from "@cmcp/mcp";

/** How often a server may ask anew within one call, and for how much at once. */
const MAX_ROUNDS = 8;
const MAX_REQUESTS = 16;

/** Sends the request, again and again with what the agent was asked for in between. */
type Send = (input: InputGiven | null) => Promise<UpstreamAnswer>;

/**
 * Carries a modern server's need for input to an agent that can be asked while it waits. An agent of the modern era
 * is given the need itself and sends its request again.
 * @throws CmcpError `UPSTREAM_INPUT_REQUIRED` when the agent cannot give what is needed
 */
export async function withInput(send: Send, peer: Peer, first: Parameters<Send>[0]): Promise<UpstreamAnswer> {
  let answer = await send(first);
  for (let round = 0; answer.kind === "input_required" && peer.input !== "retry"; round += 1) {
    if (peer.input === "none")
      throw new CmcpError(
        "UPSTREAM_INPUT_REQUIRED",
        "the server asks for further input, and this agent cannot be asked",
        { detail: { sent: 1 } },
      );
    if (round >= MAX_ROUNDS)
      throw new CmcpError("UPSTREAM_PROTOCOL_ERROR", `the server asked for input more than ${MAX_ROUNDS} times`, {
        detail: { sent: 1 },
      });
    const responses = answer.inputRequests === null ? null : await askAll(answer.inputRequests, peer);
    answer = await send({ responses, state: answer.requestState });
  }
  return answer;
}

async function askAll(requests: JsonObject, peer: Peer): Promise<Readonly<Record<string, JsonObject>>> {
  const wanted = Object.entries(requests);
  if (wanted.length > MAX_REQUESTS)
    throw new CmcpError("UPSTREAM_PROTOCOL_ERROR", `the server asked for more than ${MAX_REQUESTS} inputs at once`, {
      detail: { sent: 1 },
    });
  const responses: [string, JsonObject][] = [];
  for (const [key, request] of wanted) {
    const method = isJsonObject(request) ? request.method : undefined;
    const capability = typeof method === "string" ? CLIENT_METHODS[method] : undefined;
    if (typeof method !== "string" || capability === undefined || peer.capabilities[capability] === undefined) {
      throw new CmcpError("UPSTREAM_INPUT_REQUIRED", "the server asks for input of a kind this agent does not offer", {
        detail: { sent: 1 },
      });
    }
    const params = isJsonObject(request) && isJsonObject(request.params) ? request.params : {};
    responses.push([key, await peer.ask(method, params)]);
  }
  return Object.fromEntries(responses);
}
