import type { BufferShare } from "@cmcp/boundary";

/** Events the agent has not read yet, over which the sender waits. */
const HIGH_WATER_EVENTS = 16;

/** The events of one stream that its agent has not read yet, first come, first read. */
export class UnreadEvents {
  readonly #encoder = new TextEncoder();
  readonly #events: { readonly bytes: Uint8Array; readonly counted: number }[] = [];
  readonly #buffered: BufferShare | undefined;
  /** Counted bytes of the event that was taken last: it is held until the next is asked for, as its reader writes it out meanwhile. */
  #reading = 0;
  #ended = false;
  /** Somebody waits for an event, or for room. */
  #changed = Promise.withResolvers<void>();

  constructor(buffered: BufferShare | undefined) {
    this.#buffered = buffered;
  }

  get empty(): boolean {
    return this.#events.length === 0;
  }

  get full(): boolean {
    return this.#events.length >= HIGH_WATER_EVENTS;
  }

  /**
   * What is short and says how it stands is not counted: it is sent when there is room for nothing else.
   * @throws CmcpError `OVERLOADED` when the gateway holds too much as it is
   */
  push(text: string, as: "counted" | "uncounted"): void {
    const bytes = this.#encoder.encode(text);
    const counted = as === "counted" ? bytes.byteLength : 0;
    this.#buffered?.take(counted);
    this.#events.push({ bytes, counted });
    this.#notice();
  }

  /** Resolves when the agent has read enough for another, or will read none. */
  async room(): Promise<void> {
    while (this.full && !this.#ended) await this.#changed.promise;
  }

  /** The next event; `undefined` after the last. */
  async next(): Promise<Uint8Array | undefined> {
    this.#release();
    while (this.empty && !this.#ended) await this.#changed.promise;
    const event = this.#events.shift();
    this.#reading = event?.counted ?? 0;
    this.#notice();
    return event?.bytes;
  }

  /** No more events come; those that are here can still be read. */
  end(): void {
    this.#ended = true;
    this.#notice();
  }

  /** Nobody reads any more. */
  drop(): void {
    this.#release();
    this.#buffered?.release(this.#events.reduce((sum, { counted }) => sum + counted, 0));
    this.#events.length = 0;
    this.end();
  }

  #release(): void {
    this.#buffered?.release(this.#reading);
    this.#reading = 0;
  }

  #notice(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
