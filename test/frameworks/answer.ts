import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport, type CallToolResult } from "@modelcontextprotocol/client";
import type { ScriptedCall, Task } from "./task.ts";

/** What the gateway answers a call, as the MCP SDK's own client reads it. @throws where the answer is an error of the protocol */
export async function answerOf(
  where: Pick<Task, "url" | "token" | "mode">,
  call: ScriptedCall,
): Promise<CallToolResult> {
  const client = new Client({ name: "plain", version: "1" }, { versionNegotiation: { mode: where.mode } });
  const requestInit = { headers: { authorization: `Bearer ${where.token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(where.url), { requestInit }));
  try {
    return await client.callTool({ name: call.tool, arguments: { ...call.arguments } });
  } finally {
    await client.close();
  }
}

/** The sentence of a refusal, which is all of its content. */
export function sentenceOf({ isError, content }: CallToolResult): string {
  assert.equal(isError, true);
  const [part, ...rest] = content;
  assert.deepEqual(rest, []);
  assert.equal(part?.type, "text");
  return part.text;
}

interface Advice {
  readonly code?: string;
  readonly advice?: string;
  readonly approval?: { readonly approval_id: string };
}

/** What a refusal says to programs. */
export function adviceOf({ _meta: meta }: CallToolResult): Advice | undefined {
  return meta?.["cmcp.gateway/error"] as Advice | undefined;
}
