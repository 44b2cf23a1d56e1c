import { asCmcpError, CmcpError, examine, type ErrorCode } from "@cmcp/boundary";
import { ExchangePool, type Dialer, type Opening, type OutgoingExchange } from "@cmcp/wire";
import { DrainAnswer } from "./drain-answer.ts";
import { linkError } from "./link-error.ts";

/**
 * `down`: no enclave process; `launching`: dialable, not yet launched and provisioned;
 * `up`: agent requests are forwarded; `draining`: no new ones are.
 */
export type LinkState = "down" | "launching" | "up" | "draining";

export interface LinkLimits {
  /** Exchanges at a time, one stream each. */
  readonly streams: number;
  /** Milliseconds a control message may take; launch compiles the policy. */
  /** During a launch the host sends the files of stdio servers, and each of these starts once. */
  readonly launchMs: number;
  readonly provisionMs: number;
  /** As launch, it compiles a policy. */
  readonly reloadMs: number;
  /** Milliseconds that draining may take without progress. */
  readonly drainMs: number;
}

export const LINK_LIMITS: LinkLimits = {
  streams: 512,
  launchMs: 290_000,
  provisionMs: 30_000,
  reloadMs: 60_000,
  drainMs: 30_000,
};

/** Bytes of the enclave's answer to a control message. */
export const CONTROL_REPLY_BYTES = 64 * 1024;

/** The wire's bound on a document, and the enclave's own. */
const TOO_LARGE: ReadonlySet<ErrorCode> = new Set(["WIRE_EXCHANGE_TOO_LARGE", "WIRE_FRAME_TOO_LARGE"]);

/** Opens exchanges with the enclave and says whether there is one. Each enclave process gets a pool of its own. */
export class EnclaveLink {
  readonly #dialer: Dialer;
  readonly #limits: LinkLimits;
  #pool: ExchangePool | undefined;
  #state: LinkState = "down";

  constructor(dialer: Dialer, limits: LinkLimits = LINK_LIMITS) {
    this.#dialer = dialer;
    this.#limits = limits;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** A new enclave process listens. */
  started(): void {
    this.#pool = new ExchangePool(this.#dialer, { maxStreams: this.#limits.streams });
    this.#state = "launching";
  }

  /** Launched, and provisioned where the host does that: requests may flow. */
  ready(): void {
    if (this.#state === "launching") this.#state = "up";
  }

  /** The enclave process is gone; every exchange in flight fails. */
  async lost(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    this.#state = "down";
    await pool?.close();
  }

  /** No new requests from now on; those in flight go on. */
  refuseNew(): void {
    if (this.#state !== "down") this.#state = "draining";
  }

  /**
   * Opens one agent request.
   * @throws ENCLAVE_UNAVAILABLE unless the link is up, or when the enclave cannot be reached
   */
  async open(opening: Extract<Opening, { t: "request" }>, signal: AbortSignal): Promise<OutgoingExchange> {
    if (this.#pool === undefined || this.#state !== "up")
      throw new CmcpError("ENCLAVE_UNAVAILABLE", `the enclave is ${this.#state}`);
    try {
      return await this.#pool.open(opening, signal);
    } catch (thrown) {
      throw linkError(thrown);
    }
  }

  /**
   * Hands over the launch document. Returns the enclave's answer, opaque to the host.
   * @throws CmcpError `LAUNCH_DOCUMENT_INVALID` for one that is too large for the wire or the enclave; else with the
   * enclave's own code
   */
  async launch(document: Uint8Array): Promise<Uint8Array> {
    return await refusedAs(
      "LAUNCH_DOCUMENT_INVALID",
      "the launch document is too large",
      this.#control({ t: "launch" }, document, this.#limits.launchMs),
    );
  }

  /** Hands over the provision message. Returns the enclave's answer, opaque to the host. */
  provision(message: Uint8Array): Promise<Uint8Array> {
    return this.#control({ t: "provision" }, message, this.#limits.provisionMs);
  }

  /**
   * Hands over another policy bundle. Returns the enclave's answer, opaque to the host.
   * @throws CmcpError `RELOAD_INVALID` for one that is too large for the wire or the enclave; else with the
   * enclave's own code
   */
  async reload(message: Uint8Array): Promise<Uint8Array> {
    return await refusedAs(
      "RELOAD_INVALID",
      "the reload message is too large",
      this.#control({ t: "reload" }, message, this.#limits.reloadMs),
    );
  }

  /**
   * Asks the enclave to finish what it has begun; resolves when it has, with how many sessions it could not close. It may
   * take as long as the number of open sessions falls.
   * @param closing called with that number
   */
  async drain(closing: (open: number) => void = () => undefined): Promise<number> {
    const answer = new DrainAnswer();
    await this.#converse({ t: "drain" }, new Uint8Array(), this.#limits.drainMs, async (body, progress) => {
      for await (const part of body)
        for (const open of answer.read(examine(part))) {
          progress();
          closing(open);
        }
    });
    return answer.unclosedSessions();
  }

  async #control(opening: Opening, document: Uint8Array, waitMs: number): Promise<Uint8Array> {
    return await this.#converse(opening, document, waitMs, async (body) => await collect(body, CONTROL_REPLY_BYTES));
  }

  /** One control message. Its answer is read by `read`, which may say that there is progress, and so begin the wait anew. */
  async #converse<T>(
    opening: Opening,
    document: Uint8Array,
    waitMs: number,
    read: (body: OutgoingExchange["body"], progress: () => void) => Promise<T>,
  ): Promise<T> {
    if (this.#pool === undefined) throw new CmcpError("ENCLAVE_UNAVAILABLE", "there is no enclave process");
    const expired = new AbortController();
    const timer = setTimeout(() => expired.abort(), waitMs);
    try {
      const readOn = async (body: OutgoingExchange["body"]): Promise<T> => await read(body, () => void timer.refresh());
      return await converse(this.#pool, { opening, document, signal: expired.signal }, readOn);
    } catch (thrown) {
      if (expired.signal.aborted)
        throw new CmcpError("ENCLAVE_UNAVAILABLE", `the enclave did not answer ${opening.t} within ${waitMs} ms`, {
          cause: thrown,
        });
      throw linkError(thrown);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * A document that is too large is refused for what it is, not because the stream failed: another try would end the same
 * way.
 */
async function refusedAs(code: ErrorCode, message: string, answer: Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await answer;
  } catch (thrown) {
    const { cause } = asCmcpError(thrown, "TEE_FAULT", "the enclave's answer could not be read");
    if (cause instanceof CmcpError && TOO_LARGE.has(cause.code)) throw new CmcpError(code, message, { cause });
    throw thrown;
  }
}

/** A control message. */
interface Control {
  readonly opening: Opening;
  readonly document: Uint8Array;
  readonly signal: AbortSignal;
}

async function converse<T>(
  pool: ExchangePool,
  { opening, document, signal }: Control,
  read: (body: OutgoingExchange["body"]) => Promise<T>,
): Promise<T> {
  const exchange = await pool.open(opening, signal);
  const send = async (): Promise<void> => {
    if (document.length > 0) await exchange.write(document);
    await exchange.end();
  };
  try {
    const sent = send();
    // An enclave that refuses early stops reading; its refusal says more than our failed write.
    const head = await Promise.race([
      exchange.head,
      sent.then(
        () => exchange.head,
        () => exchange.head,
      ),
    ]);
    if (head.status !== 200)
      throw new CmcpError("TEE_FAULT", `the enclave answered ${opening.t} with status ${head.status}`);
    const reply = await read(exchange.body);
    await sent;
    return reply;
  } catch (thrown) {
    exchange.abort();
    throw thrown;
  }
}

async function collect(body: OutgoingExchange["body"], limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    const chunk = examine(part);
    length += chunk.length;
    if (length > limit) throw new CmcpError("TEE_FAULT", `the enclave's answer exceeds ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
