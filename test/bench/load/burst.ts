import { request } from "node:http";
import { performance } from "node:perf_hooks";
import type { Burst, BurstServed } from "./job.ts";

const GIVEN_UP = "given up";

/** Sends one request on a connection of its own. @returns the bytes of its answer; why there is none where it was given up or refused */
function send(
  { port, withinMs }: Burst,
  { method, path, token }: Burst["requests"][number],
): Promise<{ readonly bytes: number } | { readonly refused: string }> {
  const { promise, resolve } = Promise.withResolvers<{ bytes: number } | { refused: string }>();
  const signal = AbortSignal.timeout(withinMs);
  const failed = ({ message }: Error): void => resolve({ refused: signal.aborted ? GIVEN_UP : message });
  const headers = { authorization: `Bearer ${token}` };
  request({ agent: false, host: "127.0.0.1", port, method, path, headers, signal }, (response) => {
    let bytes = 0;
    response.on("data", (chunk: Buffer) => (bytes += chunk.length));
    response.once("error", failed);
    response.once("end", () =>
      resolve(response.statusCode === 200 ? { bytes } : { refused: `${response.statusCode}` }),
    );
  })
    .once("error", failed)
    .end();
  return promise;
}

/** Sends all requests at once and reads every answer to its end. */
export async function burst(order: Burst): Promise<BurstServed> {
  const started = performance.now();
  const answers = await Promise.all(order.requests.map((one) => send(order, one)));
  const whole = answers.flatMap((answer) => ("bytes" in answer ? [answer.bytes] : []));
  return {
    ms: performance.now() - started,
    bytes: whole.reduce((sum, bytes) => sum + bytes, 0),
    whole: whole.length,
    refused: answers.flatMap((answer) => ("refused" in answer && answer.refused !== GIVEN_UP ? [answer.refused] : [])),
  };
}
