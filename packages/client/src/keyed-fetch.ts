import {
  CmcpError,
  formatIdempotencyKey,
  IDEMPOTENCY_META_KEY,
  isJsonObject,
  parseJson,
  readIdempotencyKey,
  untrusted,
  type JsonObject,
} from "@cmcp/boundary";
import { askJson, leavesOpen, lostAnswer, type AskPorts, type Authorization } from "./call-outcome.ts";
import { isToEndpoint } from "./endpoint.ts";

/** Methods whose calls get a key. What a server does for others does no harm when it is done twice. */
const KEYED: ReadonlySet<unknown> = new Set([
  "tools/call",
  "prompts/get",
  "resources/read",
  "resources/subscribe",
  "tasks/update",
]);
const REQUEST_LIMITS = { maxBytes: 4 * 1024 * 1024, maxDepth: 64, maxItems: 1_000_000 };
const RANDOM_BYTES = 16;
/** For how many keys, and how many milliseconds, one size of the log serves. */
const SIZE_KEYS = 256;
const SIZE_MS = 30_000;

/** What giving keys to calls needs. */
export interface KeyedFetchPorts extends AskPorts {
  /** Milliseconds of a clock that does not go back. */
  readonly monotonic: () => number;
}

/** A request that makes a call. */
interface Call {
  readonly message: JsonObject;
  /** Of the caller's own; `null` for none. */
  readonly key: string | null;
}

/** The size of the log, and for how long it serves. */
interface LogSize {
  readonly records: number;
  readonly until: number;
  keys: number;
}

/**
 * Gives each call an idempotency key where its caller gave none. Where an answer is lost the enclave is asked what became of the call, and
 * nothing is sent again.
 */
export class KeyedFetch {
  readonly #ports: KeyedFetchPorts;
  #size: LogSize | null = null;
  #asking: Promise<LogSize | null> | null = null;

  constructor(ports: KeyedFetchPorts) {
    this.#ports = ports;
  }

  /**
   * Sends a request, once. Its content fails as this does.
   *
   * @param signal ends the request and the reading of its answer
   * @throws CmcpError `SEAL_ANSWER_LOST` for a call that has ended, `SEAL_OUTCOME_UNKNOWN` where that is not known; `detail` has the
   *   key, as `idempotency_key`, and what the record has of the call. `GATEWAY_ANSWER_INVALID` before anything was sent
   */
  async fetch(request: Request, signal: AbortSignal | null): Promise<Response> {
    const { root, send } = this.#ports;
    if (!isToEndpoint(request, root)) return await send(request, signal);
    const content = new Uint8Array(await request.arrayBuffer());
    const call = callIn(content);
    const authorization = request.headers.get("authorization");
    const key = call === null ? null : (call.key ?? (await this.#newKey(authorization)));
    if (call === null || key === null) return await send(withContent(request, content), signal);
    const lost = async (thrown: unknown): Promise<never> => {
      if (signal?.aborted === true || !leavesOpen(thrown)) throw thrown;
      throw await lostAnswer(this.#ports, { key, authorization, cause: thrown });
    };
    const sent = withContent(request, call.key === null ? withKey(call.message, key) : content);
    // Under a key of its own the caller may have made the call before.
    const answer = await send(sent, signal, call.key !== null).catch(lost);
    const { status, headers } = answer;
    return answer.body === null ? answer : new Response(failingAs(answer.body, lost), { status, headers });
  }

  /** A new key; `null` where the gateway does not say how long its log is. */
  async #newKey(authorization: Authorization): Promise<string | null> {
    if (this.#size === null || this.#size.keys >= SIZE_KEYS || this.#size.until <= this.#ports.monotonic()) {
      // Requests at one time ask once.
      this.#asking ??= this.#askSize(authorization).finally(() => {
        this.#asking = null;
      });
      this.#size = await this.#asking;
    }
    if (this.#size === null) return null;
    this.#size.keys += 1;
    return formatIdempotencyKey(this.#size.records, crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)));
  }

  async #askSize(authorization: Authorization): Promise<LogSize | null> {
    const until = this.#ports.monotonic() + SIZE_MS;
    const status = await askJson(this.#ports, "v1/status", authorization).catch(notSent);
    const log = status?.log;
    const records = isJsonObject(log) ? log.size : undefined;
    const isSize = typeof records === "number" && Number.isSafeInteger(records) && records >= 0 && records <= 2 ** 48;
    return isSize ? { records, until, keys: 0 } : null;
  }
}

/** What was sent is a question, and not the call. */
function notSent(thrown: unknown): never {
  if (!leavesOpen(thrown)) throw thrown;
  throw new CmcpError("GATEWAY_ANSWER_INVALID", "nothing was sent: the gateway did not say how long its log is", {
    cause: thrown,
  });
}

/** `null` for content that makes no call, or that the gateway will refuse. */
function callIn(content: Uint8Array): Call | null {
  const message = jsonIn(content);
  if (message === null || message.id === undefined || !KEYED.has(message.method)) return null;
  const { params = {} } = message;
  const meta = isJsonObject(params) ? (params._meta ?? {}) : null;
  if (!isJsonObject(meta)) return null;
  const own = meta[IDEMPOTENCY_META_KEY];
  if (own === undefined) return { message, key: null };
  return typeof own === "string" && readIdempotencyKey(own) !== null ? { message, key: own } : null;
}

function jsonIn(content: Uint8Array): JsonObject | null {
  try {
    const message = parseJson(untrusted(content), REQUEST_LIMITS);
    return isJsonObject(message) ? message : null;
  } catch {
    // The gateway says what is wrong with it.
    return null;
  }
}

/** The request with its key. What was parsed strictly is the same when it is written again. */
function withKey(message: JsonObject, key: string): Uint8Array<ArrayBuffer> {
  const params = isJsonObject(message.params) ? message.params : {};
  const meta = isJsonObject(params._meta) ? params._meta : {};
  const keyed = { ...message, params: { ...params, _meta: { ...meta, [IDEMPOTENCY_META_KEY]: key } } };
  return new TextEncoder().encode(JSON.stringify(keyed));
}

function withContent(request: Request, content: Uint8Array<ArrayBuffer>): Request {
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  return new Request(request.url, { method: request.method, headers, body: content });
}

/** Content that ends with the error that `lost` makes of its own. */
function failingAs(
  body: AsyncIterable<Uint8Array>,
  lost: (thrown: unknown) => Promise<never>,
): ReadableStream<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next().catch(lost);
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return?.();
    },
  });
}
