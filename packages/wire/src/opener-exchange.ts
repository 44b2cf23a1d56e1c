import { CmcpError, untrusted, type ErrorCode, ERROR_CODES } from "@cmcp/boundary";
import { ReceivedBody } from "./body.ts";
import { BodyMeter, type OutgoingExchange } from "./exchange.ts";
import type { Frame, Opening, ResponseHead } from "./frame.ts";
import { BODY_LIMITS } from "./limits.ts";
import type { FrameLink } from "./link.ts";
import { BodySender } from "./sender.ts";

/** How an exchange ends: `completed` runs once both sides have sent everything; `signal` ends it early. */
interface Ending {
  readonly completed: () => void;
  readonly signal?: AbortSignal;
}

/** The opener's side of one exchange on a link. */
export class OpenerExchange implements OutgoingExchange {
  readonly head: Promise<ResponseHead>;
  readonly body: ReceivedBody;
  readonly #link: FrameLink;
  readonly #number: number;
  readonly #completed: () => void;
  readonly #resolvers = Promise.withResolvers<ResponseHead>();
  readonly #received: BodyMeter;
  readonly #sender: BodySender;
  readonly #signal: AbortSignal | undefined;
  #remote: "head" | "body" | "ended" = "head";
  #localEnded = false;

  constructor(link: FrameLink, number: number, opening: Opening, { completed, signal }: Ending) {
    this.#link = link;
    this.#number = number;
    this.#completed = completed;
    this.#signal = signal;
    this.#received = new BodyMeter(BODY_LIMITS[opening.t]);
    this.#sender = new BodySender(link, number, new BodyMeter(BODY_LIMITS[opening.t]));
    this.head = this.#resolvers.promise;
    this.head.catch(() => {
      // A caller that only writes never awaits the head; its next write rejects with the same error.
    });
    this.body = new ReceivedBody({
      pause: () => {
        link.pause();
      },
      resume: () => {
        link.resume();
      },
      abandoned: () => {
        this.abort();
      },
    });
    link.send({ ...opening, x: number });
    signal?.addEventListener("abort", this.abort, { once: true });
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#sender.write(chunk);
  }

  end(): Promise<void> {
    if (this.#localEnded) return Promise.resolve();
    return this.#sender.after(() => {
      this.#endLocal();
    });
  }

  readonly abort = (): void => {
    if (this.#complete) return;
    this.#link.close(new CmcpError("REQUEST_CANCELLED", "the exchange was cancelled"));
  };

  /** Takes a frame of this exchange. @throws CmcpError for one that is out of order. */
  frame(frame: Frame): void {
    if (frame.x !== this.#number) throw new CmcpError("WIRE_UNEXPECTED_FRAME", "a frame of another exchange");
    if (this.#remote === "ended") throw new CmcpError("WIRE_UNEXPECTED_FRAME", `${frame.t} after the end`);
    if (frame.t === "error") {
      this.#failed(new CmcpError(errorCode(frame.code), frame.message));
    } else if (frame.t === "response" && this.#remote === "head") {
      this.#remote = "body";
      this.#resolvers.resolve({ status: frame.status, headers: frame.headers });
    } else if (frame.t === "body" && this.#remote === "body") {
      this.#received.count(frame.data.length);
      this.body.push(untrusted(frame.data));
    } else if (frame.t === "end" && this.#remote === "body") {
      this.#remote = "ended";
      this.body.finish();
      this.#settle();
    } else {
      throw new CmcpError(
        "WIRE_UNEXPECTED_FRAME",
        `${frame.t} where ${this.#remote === "head" ? "a response" : "a body"} is expected`,
      );
    }
  }

  /** The link is gone. */
  closed(error: CmcpError): void {
    this.#signal?.removeEventListener("abort", this.abort);
    this.#sender.stop(error);
    this.#resolvers.reject(error);
    this.body.finish(error);
  }

  get #complete(): boolean {
    return this.#localEnded && this.#remote === "ended";
  }

  #failed(error: CmcpError): void {
    this.#remote = "ended";
    this.#resolvers.reject(error);
    this.body.finish(error);
    this.#sender.stop(error);
    // A reject by the wire itself is the last frame of its stream.
    if (error.code.startsWith("WIRE_")) this.#link.close(error);
    else if (this.#localEnded) this.#settle();
    else this.#endLocal();
  }

  #endLocal(): void {
    if (this.#localEnded) return;
    this.#link.send({ t: "end", x: this.#number });
    this.#localEnded = true;
    this.#sender.stop();
    this.#settle();
  }

  #settle(): void {
    if (!this.#complete) return;
    this.#signal?.removeEventListener("abort", this.abort);
    this.#completed();
  }
}

/** The peer may send a code this version does not know. */
function errorCode(code: string): ErrorCode {
  return Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "WIRE_MALFORMED";
}
