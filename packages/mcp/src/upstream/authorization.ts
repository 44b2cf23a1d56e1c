import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { Connection } from "./authentication.ts";

/** An answer, as far as it says something about authorization. */
interface AnsweredRequest {
  readonly status: number;
  readonly header: (name: string) => string | null;
  /** Headers that authorized its request. */
  readonly sent: Readonly<Record<string, string>>;
}

/** What authorizes requests to a server, where more is needed than one token. */
export interface RequestAuthorization {
  /** Headers for one request. @throws CmcpError where it cannot be authorized; it is not sent then */
  headers(request: { readonly method: string; readonly url: URL }): Promise<Readonly<Record<string, string>>>;
  /** Reads an answer. @returns for what the request may be made once more; `null` if it may not */
  answered(answer: AnsweredRequest): string | null;
}

type Handler = Dispatcher.DispatchHandler & { dispatched?(connection: Connection): void };
type Controller = Dispatcher.DispatchController;

function headerOf(headers: IncomingHttpHeaders): (name: string) => string | null {
  return (name) => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(", ") : (value ?? null);
  };
}

/** One attempt. An answer that has a remedy is dropped, and the request is made once more when it has ended. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly #handler: Handler;
  readonly #remedy: (status: number, headers: IncomingHttpHeaders) => boolean;
  readonly #again: () => void;
  #dropped = false;

  constructor(handler: Handler, remedy: (status: number, headers: IncomingHttpHeaders) => boolean, again: () => void) {
    this.#handler = handler;
    this.#remedy = remedy;
    this.#again = again;
  }

  /** The connection that it was put on is for its handler to judge. */
  dispatched(connection: Connection): void {
    this.#handler.dispatched?.(connection);
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context);
  }

  onResponseStart(controller: Controller, status: number, headers: IncomingHttpHeaders, message?: string): void {
    // An interim answer refuses nothing (RFC 9110 section 15.2).
    if (status >= 200 && this.#remedy(status, headers)) this.#dropped = true;
    else this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (!this.#dropped) this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    if (this.#dropped) this.#again();
    else this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    this.#handler.onResponseError?.(controller, error);
  }
}

/** What requests are dispatched by. */
export type Dispatch = Pick<Dispatcher, "dispatch">;

/**
 * Dispatches requests with headers that authorize each. One that the server refuses for want of them, which says that it did not
 * run (RFC 9110 section 15.5.2), is made once more for each reason that has a remedy.
 */
export class AuthorizedDispatch implements Dispatch {
  readonly #dispatcher: Dispatch;
  readonly #origin: string;
  readonly #authorization: RequestAuthorization;

  constructor(dispatcher: Dispatch, origin: string, authorization: RequestAuthorization) {
    this.#dispatcher = dispatcher;
    this.#origin = origin;
    this.#authorization = authorization;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Handler): boolean {
    void this.#attempt(options, handler, new Set());
    return true;
  }

  async #attempt(options: Dispatcher.DispatchOptions, handler: Handler, tried: Set<string>): Promise<void> {
    const { method, path } = options;
    let sent: Readonly<Record<string, string>>;
    try {
      sent = await this.#authorization.headers({ method, url: new URL(path, this.#origin) });
    } catch (thrown) {
      handler.onResponseError?.(NO_CONTROLLER, thrown instanceof Error ? thrown : new Error("not authorized"));
      return;
    }
    const remedy = (status: number, headers: IncomingHttpHeaders): boolean => {
      const reason = this.#authorization.answered({ status, header: headerOf(headers), sent });
      if (reason === null || tried.has(reason)) return false;
      tried.add(reason);
      return true;
    };
    const again = (): void => void this.#attempt(options, handler, tried);
    const headers = { ...(options.headers as Record<string, string>), ...sent };
    this.#dispatcher.dispatch({ ...options, headers }, new Attempt(handler, remedy, again));
  }
}

/** What a handler is given where there is no connection yet. */
const NO_CONTROLLER: Controller = {
  aborted: false,
  paused: false,
  reason: null,
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};
