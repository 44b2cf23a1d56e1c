import type { JsonObject } from "@cmcp/boundary";

/** The tools that measured calls name, one after the other. */
export const TOOLS: readonly string[] = ["echo_text", ...Array.from({ length: 7 }, (_, index) => `echo_text_${index}`)];

/** The first of them. */
export const TOOL = "echo_text";

/** Their approved input schema. */
export const INPUT_SCHEMA: JsonObject = {
  type: "object",
  properties: { text: { type: "string" }, note: { type: "string" } },
  required: ["text"],
  additionalProperties: false,
};

/** Says which of several servers a request is for, to proxies that do not read bodies. The gateway does not forward it. */
export const UPSTREAM_HEADER = "x-bench-upstream";

/** Bytes of the body of one measured `tools/call`. */
export const CALL_BYTES = 2_048;

/** The name of a tool whose result has that many bytes. */
export const LARGE_TOOL = /^text_of_(\d+)$/;

/** `length` characters that differ from one number to the next. They need no escape in JSON. */
export function textOf(number: number, length: number): string {
  const sentence = `Order ${number * 37} of desk ${number % 23} waits for page ${number}; `;
  return sentence.repeat(Math.ceil(length / sentence.length)).slice(0, length);
}

/** One `tools/call`, as an agent sends it. Each number has an id and arguments of its own, and all have `bytes` bytes. */
export function callBody(number: number, tool = TOOL, bytes = CALL_BYTES): string {
  const head = `{"jsonrpc":"2.0","id":${number},"method":"tools/call","params":{"name":"${tool}","arguments":{"note":"${number}","text":"`;
  const tail = '"}}}';
  return `${head}${textOf(number, bytes - head.length - tail.length)}${tail}`;
}

/** Arguments of such a call. */
export function callArguments(): { text: string; note: string } {
  return { text: textOf(7, CALL_BYTES - 120), note: "7" };
}

/** A bundle of `count` rules that name other tools but for those that permit the measured ones. */
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
