import type { Dialect } from "./agent.ts";
import type { Scene } from "./scene.ts";

/** A request that comes to nothing, with a marker in each place that its sender chooses. */
export interface Stray {
  readonly name: string;
  readonly path: string;
  readonly init?: RequestInit;
}

const JSON_TYPES = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** What agents send that no endpoint, tool, method or shape takes. @param mark a marker of a place */
export function straysOf(mark: (place: string) => string): Stray[] {
  const post = (name: string, body: string, headers: Record<string, string> = {}, path = "/mcp"): Stray => ({
    name,
    path,
    init: { method: "POST", body, headers: { ...JSON_TYPES, ...headers } },
  });
  const rpc = (method: string, params: object): string => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const call = (name: string, more: object = {}): string =>
    rpc("tools/call", { name, arguments: { text: mark("stray") }, ...more });
  return [
    post("another tool than any", call(mark("stray-tool"))),
    post("another resource than any", rpc("resources/read", { uri: `taint://${mark("stray-uri")}` })),
    post("another prompt than any", rpc("prompts/get", { name: mark("stray-prompt") })),
    post("another task than any", rpc("tasks/get", { taskId: mark("stray-task") })),
    post("another method than any", rpc(mark("stray-method"), { text: mark("stray") })),
    post("arguments that no schema has", call("legacy-tool-result", { arguments: { [mark("stray-name")]: 1 } })),
    post("an argument of another type", call("legacy-tool-result", { arguments: { text: { a: mark("stray") } } })),
    post("an argument twice", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"a":1,"a":"${mark("stray")}"}}`),
    post("no JSON", `{"${mark("stray")}`),
    post("a batch", JSON.stringify([{ text: mark("stray") }])),
    post("a session of its own name", call("legacy-tool-result", { _cmcp: { session_id: mark("stray-label") } })),
    post("a workflow that is not its own", call("legacy-tool-result"), { "x-mcp-workflow-id": mark("stray-workflow") }),
    post("a session that is nobody's", call("legacy-tool-result"), { "mcp-session-id": mark("stray-session") }),
    post("a version that there is not", call("legacy-tool-result"), { "mcp-protocol-version": mark("stray-version") }),
    post("an origin that is not listed", call("legacy-tool-result"), { origin: `https://${mark("stray")}.example` }),
    { name: "a path that there is not", path: `/${mark("stray-path")}` },
    { name: "a query", path: `/v1/status?${mark("stray-query")}=1` },
    { name: "a session's claim that there is not", path: `/sessions/${mark("stray-id")}/trace-claim` },
    { name: "an export that there is not", path: `/audit/export?session_id=${mark("stray-export")}` },
    post("a reset that nobody signed", JSON.stringify({ reason: mark("stray") }), {}, `/sessions/x/reset`),
    post("a stop that nobody signed", JSON.stringify({ reason: mark("stray") }), {}, "/kill-switch/trip"),
  ];
}

/** Sends a stray and reads its answer to the end. @returns its status */
export async function sendStray(scene: Scene, dialect: Dialect, { path, init = {} }: Stray): Promise<number> {
  const response = await scene.request(dialect, path, init);
  await response.text();
  return response.status;
}
