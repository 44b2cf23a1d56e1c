import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../peer.ts";
import { EVENT_STREAM, event, gone, http, json, reply, type ScriptedRequest } from "./scripted-server.ts";
import { forever, start } from "./upstream.ts";
import type { UpstreamClient } from "../upstream/client.ts";

export const OK: JsonObject = { content: [] };
export const END = "0\r\n\r\n";
/** Parameters of a tool call. */
export const call = (name: string): { method: string; params: JsonObject } => ({
  method: "tools/call",
  params: { name, arguments: {} },
});
/** A notification as an event. */
export const note = (method: string, params: JsonObject): string =>
  event({ jsonrpc: "2.0", method: `notifications/${method}`, params });
export const updated = note("resources/updated", { uri: "a:x" });
/** A question that a server asks, as an event. */
export const question = event({ jsonrpc: "2.0", id: "q", method: "elicitation/create", params: { message: "name?" } });
export const answers = ({ message }: ScriptedRequest): boolean =>
  message.method === undefined && message.id !== undefined;
export const asks = ({ message }: ScriptedRequest, method: string): boolean => message.method === method;
export const tokenOf = ({ message }: ScriptedRequest): JsonObject[string] =>
  ((message.params as JsonObject)._meta as JsonObject | undefined)?.progressToken ?? null;

/** An agent that can be asked. */
export const askableParams = (ask: Peer["ask"] = async () => ({ action: "decline" })): Peer => ({
  ...silentPeer(forever),
  capabilities: { elicitation: {} },
  input: "ask",
  ask,
});
/** An agent that gave a progress token. */
export const router = (notify: (said: JsonObject) => unknown, signal = forever): Peer => ({
  ...silentPeer(signal),
  progressToken: 1,
  notify: async (_, said) => void (await notify(said)),
});

/** Follows one resource on behalf of the session. */
export function follow(
  t: TestContext,
  client: UpstreamClient,
): { readonly heard: string[]; readonly leave: () => Promise<void> } {
  const heard: string[] = [];
  const leaving = new AbortController();
  const filter = {
    toolsListChanged: false,
    promptsListChanged: false,
    resourcesListChanged: false,
    resourceSubscriptions: ["a:x"],
  };
  const listening = client.listen("s", filter, (method) => void heard.push(method), leaving.signal);
  const leave = (): Promise<void> => {
    leaving.abort();
    return listening;
  };
  t.after(leave);
  return { heard, leave };
}

/** A server with one own stream a session, as official SDKs have it, that answers calls as the test says. */
export async function serve(
  t: TestContext,
  answer: (request: ScriptedRequest, socket: Socket, own: Socket) => void,
): ReturnType<typeof start> {
  let own = Promise.withResolvers<Socket>();
  let taken = false;
  return await start(t, (request, socket) => {
    if (request.method === "GET" && taken) return void socket.write(http(409, {}, ""));
    if (request.method === "GET") {
      taken = true;
      socket.write(EVENT_STREAM);
      own.resolve(socket);
      void gone(socket).then(() => {
        taken = false;
        own = Promise.withResolvers();
      });
      return;
    }
    if (answers(request)) return void socket.write(http(202, {}, ""));
    if (!asks(request, "tools/call")) return void socket.write(json(reply(request, {})));
    void own.promise.then((stream) => answer(request, socket, stream));
  });
}

/** How many streams of their own were asked for. */
export const gets = (requests: readonly ScriptedRequest[]): number =>
  requests.filter(({ method }) => method === "GET").length;
/** How often a resource was subscribed to. */
export const subscribed = (requests: readonly ScriptedRequest[]): number =>
  requests.filter((request) => asks(request, "resources/subscribe")).length;
