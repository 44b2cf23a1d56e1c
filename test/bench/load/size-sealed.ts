import { callBody } from "../call.ts";
import { mcpHeaders } from "./client.ts";
import { Connection } from "./connection.ts";
import type { Sized, Sizing } from "./job.ts";
import { nth } from "./measure.ts";
import { opened, prepare, sealKeyOf } from "./sealing.ts";

/** Sends one call under the seal, and counts what it and its answer have in the clear and sealed. */
export async function sizeSealed({ port, tokens, tools, bytes, padded }: Sizing): Promise<Sized> {
  const connection = await Connection.open(port);
  const body = callBody(1, nth(tools, 0), bytes);
  const made = await prepare(await sealKeyOf(port), "POST", mcpHeaders(nth(tokens, 0)), { body, padded });
  const answer = await connection.exchange(made.request);
  const inner = await opened(made, answer);
  connection.close();
  return {
    request: Buffer.byteLength(body),
    sealedRequest: made.sealedBytes,
    answer: inner.body.length,
    sealedAnswer: answer.body.length,
  };
}
