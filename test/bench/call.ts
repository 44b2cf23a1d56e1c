import type { JsonObject } from "@cmcp/boundary";

/** The tool every measured call names. */
export const TOOL = "echo_text";

/** Its approved input schema. */
export const INPUT_SCHEMA: JsonObject = {
  type: "object",
  properties: { text: { type: "string", maxLength: 65_536 }, note: { type: "string" } },
  required: ["text"],
  additionalProperties: false,
};

/** Says which of several servers a request is for, to the bare proxy, which does not read bodies. The gateway does not forward it. */
export const UPSTREAM_HEADER = "x-bench-upstream";

/** Bytes of the body of one measured `tools/call`. */
export const CALL_BYTES = 2_048;

/** Arguments that make the body of {@link callBody} exactly {@link CALL_BYTES} long. */
export function callArguments(): { text: string; note: string } {
  const sentence = "The quick brown fox reads page 7 of the ledger; ";
  const empty = JSON.stringify(request({ text: "", note: "2 KB" })).length;
  return { text: sentence.repeat(64).slice(0, CALL_BYTES - empty), note: "2 KB" };
}

function request(args: { text: string; note: string }, tool = TOOL): JsonObject {
  return { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: tool, arguments: args } };
}

/** One `tools/call` of 2 KB, as an agent sends it; a few bytes longer when the tool's name is. */
export function callBody(tool = TOOL): string {
  return JSON.stringify(request(callArguments(), tool));
}

/** A bundle of `count` rules that name other tools but for those that permit the measured ones, of which there is one by default. */
export function rules(count: number, tools: readonly string[] = [TOOL]): string {
  const others = Array.from({ length: Math.max(0, count - tools.length) }, (_, index) => {
    const effect = index % 3 === 0 ? "forbid" : "permit";
    return `@id("other-${index}")\n${effect} (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"other_tool_${index}")\nwhen { context.session_max_sensitivity != "level-${index}" };\n`;
  });
  const permits = tools.map(
    (tool) =>
      `@id("allow-${tool}")\npermit (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"${tool}");\n`,
  );
  return `${permits.join("")}${others.join("")}`;
}
