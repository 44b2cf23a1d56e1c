import { once } from "node:events";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";

/** Longest call that a gateway's configuration allows, in milliseconds (`enclave.upstream_call_timeout_ms`). */
export const LONGEST_CALL_MS = 3_600_000;
/** Longest silence of a gateway, in milliseconds: of its longest call, and what it does around it. */
export const LONGEST_SILENCE_MS = LONGEST_CALL_MS + 60_000;
/** Statuses that a web `Response` has no content with. */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 205, 304]);

/** A `fetch`, and what ends its connections, those of answers that nobody has read among them. */
export interface PatientFetch {
  readonly fetch: typeof globalThis.fetch;
  readonly close: () => void;
}

/**
 * A `fetch` over HTTP that waits as long as a gateway's longest call takes. The platform's gives up after 300 seconds without a byte, and the
 * gateway cancels a call whose client has gone. Redirections are errors: what is sealed to one gateway goes to no other address.
 *
 * @param silenceMs longest silence before and in an answer, in milliseconds
 */
export function patientFetch(silenceMs = LONGEST_SILENCE_MS): PatientFetch {
  const agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const { url, method } = request;
    // The caller's own: a request's signal stops following it once the request is collected as garbage.
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const content = Buffer.from(await request.arrayBuffer());
    const isSecure = url.startsWith("https:");
    const options = {
      method,
      headers: Object.fromEntries(request.headers),
      ...(signal === undefined ? {} : { signal }),
    };
    const outgoing = isSecure
      ? httpsRequest(url, { ...options, agent: agents.https })
      : httpRequest(url, { ...options, agent: agents.http });
    outgoing.setTimeout(silenceMs, () => outgoing.destroy(new Error(`nothing came for ${silenceMs / 1_000} seconds`)));
    // Once an answer has begun, whoever reads it has the error.
    outgoing.on("error", () => undefined);
    const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
    outgoing.end(content);
    const [answer] = await answered;
    const { statusCode: status = 502 } = answer;
    if (status >= 300 && status < 400 && status !== 304) {
      answer.destroy();
      throw new TypeError(`the answer is a redirection, with status ${status}`);
    }
    const headers = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    );
    if (!WITHOUT_CONTENT.has(status)) return new Response(Readable.toWeb(answer), { status, headers });
    answer.resume();
    return new Response(null, { status, headers });
  };
  const close = (): void => {
    agents.http.destroy();
    agents.https.destroy();
  };
  return { fetch, close };
}
