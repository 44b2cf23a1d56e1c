import type { Peer } from "../../peer.ts";
import { raceAbort } from "../abort.ts";
import type { SessionRouter } from "./session-router.ts";
import { ReopeningStream, type Listen } from "./reopening-stream.ts";
import { SessionLost } from "./session-fault.ts";

/** Why the stream is open. */
interface Need {
  readonly opening: () => void;
}

/**
 * The one stream on which a server says what belongs to no answer (MCP 2025-11-25, "Listening for Messages from the
 * Server"). It is open while a follower of resources or a call needs it. Servers may ask there for what they need to
 * answer a call, and log or tell of progress there.
 */
export class SessionStream {
  readonly #router: SessionRouter;
  readonly #listen: Listen;
  readonly #needs = new Set<Need>();
  #stream: ReopeningStream | undefined;
  /** The server said that it offers none: calls of this session ask no more. */
  #absent = false;

  constructor(router: SessionRouter, listen: Listen) {
    this.#router = router;
    this.#listen = listen;
  }

  /**
   * Has the stream open until `signal` aborts.
   * @param opening called whenever it is opened, as the server may have forgotten by then what it was asked to tell of
   * @returns false when the server offers no such stream
   * @throws SessionLost
   */
  async follow(opening: () => void, signal: AbortSignal): Promise<boolean> {
    const need = { opening };
    if (this.#stream !== undefined) opening();
    const stream = this.#needed(need);
    try {
      const ended = await raceAbort(stream.ended, signal);
      if (ended instanceof SessionLost) throw ended;
      return ended !== "absent";
    } finally {
      this.#release(need);
    }
  }

  /**
   * Runs `call` with the stream open, when its caller can be asked, or has said what it wants to hear of logs; and
   * beside it, when it wants progress.
   */
  async during<T>(peer: Peer, call: () => Promise<T>): Promise<T> {
    const attends =
      (peer.input === "ask" && Object.keys(peer.capabilities).length > 0) || (peer.wantsLog && peer.logLevel !== null);
    if (this.#absent || !(attends || peer.progressToken !== null)) return await call();
    const over = new AbortController();
    const leave = attends ? this.#router.attend({ peer, over: over.signal }) : undefined;
    const need = { opening: () => undefined };
    const stream = this.#needed(need);
    stream.hurry();
    try {
      // A question that nobody hears fails the call; progress is not worth that every call waits.
      if (attends) await stream.opened();
      return await call();
    } finally {
      leave?.();
      over.abort();
      this.#release(need);
    }
  }

  #needed(need: Need): ReopeningStream {
    this.#needs.add(need);
    return (this.#stream ??= this.#keep());
  }

  #keep(): ReopeningStream {
    const stream = new ReopeningStream(this.#listen, () => this.#needs.forEach(({ opening }) => opening()));
    stream.ended.then(
      (ended) => {
        if (this.#stream === stream) this.#stream = undefined;
        this.#absent = ended === "absent";
      },
      // Whoever follows has it, too.
      () => undefined,
    );
    return stream;
  }

  #release(need: Need): void {
    this.#needs.delete(need);
    if (this.#needs.size > 0) return;
    this.#stream?.stop();
    this.#stream = undefined;
  }
}
