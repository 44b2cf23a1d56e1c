import assert from "node:assert/strict";
import type { JsonObject } from "@cmcp/boundary";

/** One message of the gateway's to an agent. */
export interface Sent {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: JsonObject;
  readonly result?: JsonObject;
  readonly error?: { code: number; data: JsonObject };
}

/** The messages of an event stream as they come; comments are passed over. */
export async function* messages(response: Response): AsyncGenerator<Sent> {
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  let held = "";
  for await (const chunk of response.body ?? []) {
    held += Buffer.from(chunk).toString();
    const blocks = held.split("\n\n");
    held = blocks.pop() ?? "";
    for (const block of blocks)
      if (!block.startsWith(":")) yield JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "") as Sent;
  }
}
