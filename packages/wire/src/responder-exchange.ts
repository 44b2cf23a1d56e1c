import { CmcpError, untrusted, type ErrorCode } from "@cmcp/boundary";
import { ReceivedBody } from "./body.ts";
import { BodyMeter, type IncomingExchange } from "./exchange.ts";
import type { Frame, Opening, OpeningFrame, ResponseHead } from "./frame.ts";
import { BODY_LIMITS, MAX_ERROR_MESSAGE } from "./limits.ts";
import type { FrameLink } from "./link.ts";
import { BodySender } from "./sender.ts";

/** The responder's side of one exchange on a link. `completed` runs once both sides have sent everything. */
export class ResponderExchange implements IncomingExchange {
  readonly opening: Opening;
  readonly body: ReceivedBody;
  readonly #link: FrameLink;
  readonly #number: number;
  readonly #completed: () => void;
  readonly #received: BodyMeter;
  readonly #sender: BodySender;
  #abort: AbortController | undefined;
  #closedBy: CmcpError | undefined;
  #remoteEnded = false;
  #local: "head" | "body" | "ended" = "head";

  constructor(link: FrameLink, frame: OpeningFrame, completed: () => void) {
    const { x, ...opening } = frame;
    this.opening = opening;
    this.#link = link;
    this.#number = x;
    this.#completed = completed;
    this.#received = new BodyMeter(BODY_LIMITS[opening.t]);
    this.#sender = new BodySender(link, x, new BodyMeter(BODY_LIMITS[opening.t]));
    this.body = new ReceivedBody({
      pause: () => {
        link.pause();
      },
      resume: () => {
        link.resume();
      },
      // The rest is discarded; the answer may still be on its way.
      abandoned: () => undefined,
    });
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#closedBy !== undefined) this.#abort.abort(this.#closedBy);
    }
    return this.#abort.signal;
  }

  /** True once the exchange was cut short. */
  get cancelled(): boolean {
    return this.#closedBy !== undefined;
  }

  /** True once this side has sent `end` or an error. */
  get answered(): boolean {
    return this.#local === "ended";
  }

  respond(head: ResponseHead): Promise<void> {
    return this.#sender.after(() => {
      if (this.#local !== "head") throw new CmcpError("WIRE_UNEXPECTED_FRAME", "a response was already sent");
      this.#link.send({ t: "response", x: this.#number, status: head.status, headers: head.headers });
      this.#local = "body";
    });
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.#local === "head")
      return Promise.reject(new CmcpError("WIRE_UNEXPECTED_FRAME", "a body goes after its response"));
    return this.#sender.write(chunk);
  }

  end(): Promise<void> {
    return this.#sender.after(() => {
      if (this.#local === "head") throw new CmcpError("WIRE_UNEXPECTED_FRAME", "an end goes after its response");
      this.#link.send({ t: "end", x: this.#number });
      this.#endLocal();
    });
  }

  fail(code: ErrorCode, message: string): Promise<void> {
    return this.#sender.after(() => {
      this.sendError(code, message);
    });
  }

  /** {@link ResponderExchange.fail} without waiting for writes still under way, which then fail. */
  sendError(code: ErrorCode, message: string): void {
    this.#link.send({ t: "error", x: this.#number, code, message: errorText(message) });
    this.#endLocal();
  }

  /** Takes a frame that follows the opening. @throws CmcpError for one that is out of order. */
  frame(frame: Frame): void {
    if (frame.x !== this.#number) throw new CmcpError("WIRE_UNEXPECTED_FRAME", "a frame of another exchange");
    if (this.#remoteEnded) throw new CmcpError("WIRE_UNEXPECTED_FRAME", `${frame.t} after the end`);
    if (frame.t === "body") {
      this.#received.count(frame.data.length);
      this.body.push(untrusted(frame.data));
    } else if (frame.t === "end") {
      this.#remoteEnded = true;
      this.body.finish();
      this.#settle();
    } else {
      throw new CmcpError("WIRE_UNEXPECTED_FRAME", `${frame.t} inside an exchange`);
    }
  }

  /** The link is gone, or about to go. */
  closed(error: CmcpError): void {
    this.#closedBy = error;
    this.#sender.stop(error);
    this.body.finish(error);
    this.#abort?.abort(error);
  }

  #endLocal(): void {
    this.#local = "ended";
    this.#sender.stop();
    this.#settle();
  }

  #settle(): void {
    if (this.#remoteEnded && this.#local === "ended") this.#completed();
  }
}

/** Bounded, printable text for an error frame. */
export function errorText(message: string): string {
  return message
    .slice(0, MAX_ERROR_MESSAGE)
    .toWellFormed()
    .replace(/[\p{Cc}\ufeff]/gu, " ");
}
