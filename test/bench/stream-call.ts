import type { JsonObject } from "@cmcp/boundary";

/** The tool whose result is streamed. */
export const STREAM_TOOL = "count_aloud";

/** Its approved input schema. */
export const STREAM_SCHEMA: JsonObject = {
  type: "object",
  properties: {
    events: { type: "integer", minimum: 1 },
    first_ms: { type: "integer", minimum: 0 },
    every_ms: { type: "integer", minimum: 0 },
  },
  required: ["events", "first_ms", "every_ms"],
  additionalProperties: false,
};

/** How many progress events come before the result, when the first comes, and how far they are apart. */
export interface Pace {
  readonly events: number;
  readonly firstMs: number;
  readonly everyMs: number;
}

/** One `tools/call` whose result is streamed at a pace; no two under way in a session may have one id. */
export function streamBody({ events, firstMs, everyMs }: Pace, id: number): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: {
      name: STREAM_TOOL,
      arguments: { events, first_ms: firstMs, every_ms: everyMs },
      _meta: { progressToken: "bench" },
    },
  });
}
