import { errorText } from "../jsonrpc/reply.ts";
import type { RequestId } from "../jsonrpc/message.ts";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { jsonResponse, refusalResponse, type Refusal } from "./refusal.ts";

/** Events the agent has not read yet, over which the sender waits; its characters, over which the stream is given up. */
const HIGH_WATER_EVENTS = 16;
/** A comment line at this interval keeps a quiet stream from being taken for a dead one, in milliseconds. */
const KEEP_ALIVE_MS = 15_000;

/** True when the agent takes an event stream for an answer. */
export function acceptsStream(headers: Headers): boolean {
  return (headers.get("accept") ?? "").split(",").some((range) => (range.split(";", 1)[0] ?? "").trim().toLowerCase() === "text/event-stream");
}

/**
 * The answer to one request. It is JSON unless something has to be said before the result; from then on it is an
 * event stream (HTML Living Standard, section 9.2.5) whose last event is the result.
 */
export class ReplyStream {
  readonly response: Promise<Response>;
  readonly #respond: (response: Response) => void;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #drained = Promise.withResolvers<void>();
  #over = false;
  #keepAlive: NodeJS.Timeout | undefined;
  readonly #left: () => void;

  /** @param left called when the agent stops reading before the end */
  constructor(left: () => void) {
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#respond = resolve;
    this.#left = left;
  }

  /** Opens the event stream, if it is not open yet. */
  open(headers: Readonly<Record<string, string>> = {}): void {
    if (this.#controller !== undefined || this.#over) return;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#drained.resolve();
          this.#drained = Promise.withResolvers<void>();
        },
        cancel: () => {
          this.#stop();
          this.#left();
        },
      },
      { highWaterMark: HIGH_WATER_EVENTS },
    );
    this.#keepAlive = setInterval(() => this.#enqueue(":\n\n"), KEEP_ALIVE_MS).unref();
    this.#respond(new Response(body, { status: 200, headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no", ...headers } }));
  }

  /** Sends one message; resolves when the agent can take another. @throws CmcpError `REQUEST_CANCELLED` once it reads no more */
  async event(message: string): Promise<void> {
    this.open();
    if (this.#over) throw new CmcpError("REQUEST_CANCELLED", "the agent reads no more");
    this.#enqueue(`event: message\ndata: ${message}\n\n`);
    while (!this.#over && (this.#controller?.desiredSize ?? 1) <= 0) await this.#drained.promise;
  }

  /** True while the agent has unread events to its bound; a sender that cannot wait gives up then. */
  get full(): boolean {
    return (this.#controller?.desiredSize ?? 1) <= 0;
  }

  /** The result, as JSON or as the last event. */
  finish(text: string, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#over) return;
    if (this.#controller === undefined) this.#respond(jsonResponse(text, 200, { ...headers }));
    else this.#enqueue(`event: message\ndata: ${text}\n\n`);
    this.#close();
  }

  /** A refusal, with its HTTP status while nothing else has been said. */
  refuse(refusal: Refusal, id: RequestId, status: number): void {
    if (this.#over) return;
    if (this.#controller === undefined) this.#respond(refusalResponse(refusal, id, status));
    else this.#enqueue(`event: message\ndata: ${errorText(id, refusal.rpcCode, refusal.message, refusal.data)}\n\n`);
    this.#close();
  }

  /** Ends the stream without a result. */
  close(): void {
    if (!this.#over) this.#close();
  }

  #enqueue(text: string): void {
    if (!this.#over) this.#controller?.enqueue(this.#encoder.encode(text));
  }

  #close(): void {
    this.#stop();
    this.#controller?.close();
  }

  #stop(): void {
    this.#over = true;
    clearInterval(this.#keepAlive);
    this.#drained.resolve();
  }
}

/** The text of a notification. */
export function notificationText(method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params });
}

/** The text of a request of the gateway's own. */
export function requestText(id: string, method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}
