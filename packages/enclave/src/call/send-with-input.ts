import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { CLIENT_METHODS, UpstreamRefusal, type Peer, type UpstreamAnswer } from "@cmcp/mcp";
import type { Input } from "./resume-input.ts";

/** How often a server may ask for input in one call, and for how many inputs at once. */
const MAX_ROUNDS = 8;
const MAX_REQUESTS = 16;

/** Sends the request with the answers so far. */
type Send = (input: Input) => Promise<UpstreamAnswer>;

/**
 * Sends a request. While the server asks for input, asks the agent and sends the request again with the answers. An agent of MCP
 * 2026-07-28 gets the questions as its result instead, and repeats its request.
 * @throws CmcpError `UPSTREAM_INPUT_REQUIRED` if the agent cannot answer
 */
export async function sendWithInput(send: Send, peer: Peer, first: Input): Promise<UpstreamAnswer> {
  let answer = await send(first);
  for (let round = 0; answer.kind === "input_required" && peer.input !== "retry"; round += 1) {
    if (peer.input === "none")
      throw new CmcpError(
        "UPSTREAM_INPUT_REQUIRED",
        "the server asks for input, and this agent offers no way to ask it",
        { detail: { sent: 1 } },
      );
    if (round >= MAX_ROUNDS)
      throw new CmcpError(
        "UPSTREAM_PROTOCOL_ERROR",
        `the server asked for input more than ${MAX_ROUNDS} times in one call`,
        {
          detail: { sent: 1 },
        },
      );
    const responses = answer.inputRequests === null ? null : await askAll(answer.inputRequests, peer);
    answer = await send({ responses, state: answer.requestState });
  }
  return answer;
}

async function askAll(requests: JsonObject, peer: Peer): Promise<Record<string, JsonObject>> {
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
    responses.push([key, await answerOf(peer, method, params)]);
  }
  return Object.fromEntries(responses);
}

/** The agent's answer. @throws CmcpError `UPSTREAM_INPUT_REQUIRED` if the agent refuses, since then the server did not end the call */
async function answerOf(peer: Peer, method: string, params: JsonObject): Promise<JsonObject> {
  try {
    return await peer.ask(method, params);
  } catch (thrown) {
    if (!(thrown instanceof UpstreamRefusal)) throw thrown;
    throw new CmcpError("UPSTREAM_INPUT_REQUIRED", "the agent refused to give the input that the server asks for", {
      cause: thrown,
      detail: { sent: 1 },
    });
  }
}
