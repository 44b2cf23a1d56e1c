import { bodyText } from "../jsonrpc/reply.ts";
import type { RequestId } from "../jsonrpc/message.ts";
import { CmcpError, type BufferShare, type JsonObject } from "@cmcp/boundary";
import type { RpcBody } from "../protocol/outcome.ts";
import { jsonResponse } from "./refusal.ts";
import { UnreadEvents } from "./unread-events.ts";
import type { RequestHeaders } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";

/** A comment line at this interval keeps a quiet stream from being taken for a dead one, in milliseconds. */
const KEEP_ALIVE_MS = 15_000;
/** An answer that takes longer becomes an event stream, in milliseconds: the link to the host and many clients give up on 300 seconds of silence. */
export const QUIET_MS = 30_000;

/** True when the agent takes an event stream for an answer. */
export function acceptsStream(headers: RequestHeaders): boolean {
  return (headers.get("accept") ?? "")
    .split(",")
    .some((range) => (range.split(";", 1)[0] ?? "").trim().toLowerCase() === "text/event-stream");
}

/**
 * The answer to one request. It is JSON unless something has to be said before the result. From then on it is an
 * event stream (HTML Living Standard, section 9.2.5) whose last event is the result.
 */
export class ReplyStream {
  readonly response: Promise<HttpResponse>;
  readonly #respond: (response: HttpResponse) => void;
  readonly #unread: UnreadEvents;
  #opened = false;
  #over = false;
  #keepAlive: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;
  readonly #left: () => void;

  /**
   * @param left called when the agent stops reading before the end
   * @param buffered counts the events that wait for the agent
   */
  constructor(left: () => void, buffered?: BufferShare) {
    const { promise, resolve } = Promise.withResolvers<HttpResponse>();
    this.response = promise;
    this.#respond = resolve;
    this.#left = left;
    this.#unread = new UnreadEvents(buffered);
  }

  /** Opens the event stream where the answer takes long and the agent takes a stream: what keeps it from being taken for dead can be sent then. */
  openInTime(headers: RequestHeaders): void {
    if (acceptsStream(headers)) this.#quiet = setTimeout(() => this.open(), QUIET_MS).unref();
  }

  /** Opens the event stream, if it is not open yet. */
  open(headers: Readonly<Record<string, string>> = {}): void {
    if (this.#opened || this.#over) return;
    this.#opened = true;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const event = await this.#unread.next();
          if (event === undefined) controller.close();
          else controller.enqueue(event);
        },
        cancel: () => {
          this.#unread.drop();
          this.#stop();
          this.#left();
        },
      },
      // Held in one place only, and counted there.
      { highWaterMark: 0 },
    );
    this.#keepAlive = setInterval(() => {
      if (this.#unread.empty) this.#unread.push(":\n\n", "uncounted");
    }, KEEP_ALIVE_MS).unref();
    this.#respond({
      status: 200,
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        ...headers,
      },
      body,
    });
  }

  /**
   * Sends one message; resolves when the agent can take another.
   * @throws CmcpError `REQUEST_CANCELLED` once it reads no more, `OVERLOADED`
   */
  async event(message: string): Promise<void> {
    this.open();
    if (this.#over) throw new CmcpError("REQUEST_CANCELLED", "the agent reads no more");
    this.#unread.push(eventOf(message), "counted");
    await this.#unread.room();
  }

  /** True while the agent has unread events to its bound; a sender that cannot wait gives up then. */
  get full(): boolean {
    return this.#unread.full;
  }

  /**
   * The answer, as JSON or as the last event; an error has its HTTP status while nothing else was said.
   * @throws CmcpError `OVERLOADED` when there is no room for a result; {@link refuse} takes none
   */
  finish(id: RequestId, body: RpcBody): void {
    this.#last(id, body, "error" in body ? "uncounted" : "counted");
  }

  /** A refusal, whether an error or a result. It is short, so that there is always room for it. */
  refuse(id: RequestId, body: RpcBody): void {
    this.#last(id, body, "uncounted");
  }

  #last(id: RequestId, body: RpcBody, as: "counted" | "uncounted"): void {
    if (this.#over) return;
    const text = bodyText(id, body);
    if (this.#opened) this.#unread.push(eventOf(text), as);
    else this.#respond(jsonResponse(text, "error" in body ? body.status : 200));
    this.close();
  }

  /** Ends the stream without a result. */
  close(): void {
    if (this.#over) return;
    this.#stop();
    this.#unread.end();
  }

  #stop(): void {
    this.#over = true;
    clearInterval(this.#keepAlive);
    clearTimeout(this.#quiet);
  }
}

function eventOf(message: string): string {
  return `event: message\ndata: ${message}\n\n`;
}

/** The text of a notification. */
export function notificationText(method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params });
}

/** The text of a notification about a request; one of progress names the token that the agent gave. */
export function progressText(method: string, params: JsonObject, token: string | number | null): string {
  const named = method === "notifications/progress" && token !== null;
  return notificationText(method, named ? { ...params, progressToken: token } : params);
}

/** The text of a request of the gateway's own. */
export function requestText(id: string, method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}
