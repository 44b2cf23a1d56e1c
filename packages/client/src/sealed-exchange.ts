import { CmcpError } from "@cmcp/boundary";
import {
  encodeRequest,
  padMessage,
  readResponse,
  SEALED_REQUEST_TYPE,
  SEALED_RESPONSE_TYPE,
  sealRequest,
  type Field,
  type GatewayKey,
  type MessageLimits,
} from "@cmcp/seal";
import { collect, streamOf } from "./bytes.ts";

/** Statuses that a web `Response` has no content with. */
const WITHOUT_CONTENT: ReadonlySet<number> = new Set([204, 205, 304]);
/** Content of an answer, and padding to the next power of two. A stream of events has no end of its own. */
const LIMITS: MessageLimits = { contentBytes: Number.MAX_SAFE_INTEGER, paddingBytes: 64 * 1024 * 1024 };

/** Where sealed requests go, and what sends them. */
export interface SealedTarget {
  /** The gateway's `/sealed`. */
  readonly url: URL;
  readonly key: GatewayKey;
  readonly fetch: typeof globalThis.fetch;
}

/**
 * Sends a request under the seal, once, and opens its answer. The request's own URL gives path and query; its host says nothing.
 *
 * @param content the request's
 * @throws CmcpError `SEAL_OUTCOME_UNKNOWN` for an answer that the enclave did not seal: the host may have passed the request on;
 *   `SEAL_NOT_OPENED`, `BINARY_HTTP_*`. The content of the response fails with these too
 */
export async function exchangeSealed(
  { url, key, fetch }: SealedTarget,
  request: Request,
  content: Uint8Array,
): Promise<Response> {
  const inner = new URL(request.url);
  const head = {
    method: request.method,
    scheme: inner.protocol.slice(0, -1),
    authority: inner.host,
    path: `${inner.pathname}${inner.search}`,
    fields: fieldsOf(request.headers),
  };
  const sealed = sealRequest(key, only(padMessage(encodeRequest(head, { content }))));
  const outer = await fetch(url, {
    method: "POST",
    headers: { "content-type": SEALED_REQUEST_TYPE },
    body: await collect(sealed.bytes),
    redirect: "error",
  });
  if (outer.status !== 200 || outer.headers.get("content-type") !== SEALED_RESPONSE_TYPE || outer.body === null) {
    await outer.body?.cancel();
    throw new CmcpError(
      "SEAL_OUTCOME_UNKNOWN",
      `the host answered ${outer.status} in place of the enclave: whether the request was acted on is unknown`,
    );
  }
  const answer = await readResponse(sealed.openAnswer(outer.body), LIMITS);
  const { status, fields } = answer.head;
  const headers = new Headers(fields.map(({ name, value }): [string, string] => [name, value]));
  return new Response(WITHOUT_CONTENT.has(status) ? await drain(answer.content) : streamOf(answer.content), {
    status,
    headers,
  });
}

function fieldsOf(headers: Headers): Field[] {
  return [...headers].map(([name, value]) => ({ name, value }));
}

async function* only(piece: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(piece);
}

/** Reads to the end, so that an answer without content is known to be whole. */
async function drain(content: AsyncIterable<Uint8Array>): Promise<null> {
  for await (const _ of content);
  return null;
}
