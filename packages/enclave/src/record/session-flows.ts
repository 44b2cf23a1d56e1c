import type { JsonValue } from "@cmcp/boundary";
import { FlowKey, FlowTable, tableBytes, type Flows, type FlowSource } from "@cmcp/flows";

/** Slots of one session's table: 1 MiB, for about 440 000 letters of results. */
const SLOTS = 1 << 17;
/** Bytes of the tables of all sessions: 64 MiB. A session over it has no table. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The memory that the flow tables of all sessions share, and the key of their hashes. */
export class FlowMemory {
  readonly #slots: number;
  #left: number;
  #key: FlowKey | null = null;

  constructor(bytes: number = MAX_BYTES, slots: number = SLOTS) {
    this.#left = bytes;
    this.#slots = slots;
  }

  /** A new table; `null` when there is no room. */
  take(): FlowTable | null {
    const bytes = tableBytes(this.#slots);
    if (bytes > this.#left) return null;
    this.#left -= bytes;
    this.#key ??= new FlowKey();
    return new FlowTable(this.#key, this.#slots);
  }

  /** Gives the room of one table back. */
  release(): void {
    this.#left += tableBytes(this.#slots);
  }
}

/** What one session was handed, for finding it in later calls. The table is made with the first result that rules want to know of. */
export class SessionFlows {
  readonly #memory: FlowMemory;
  #table: FlowTable | null = null;
  #missed = false;
  #released = false;

  constructor(memory: FlowMemory) {
    this.#memory = memory;
  }

  /** Adds what a source delivers, before it is delivered. @param args what the call sent; what stands there is no flow from its result */
  add(source: FlowSource, value: JsonValue, args: JsonValue): void {
    if (!this.#released) this.#table ??= this.#memory.take();
    if (this.#table === null) this.#missed = true;
    else this.#table.add(source, value, args);
  }

  /** Notes that something is delivered that no rule in force wants to know of. */
  skip(): void {
    this.#missed = true;
  }

  /** What of the results stands in a value. */
  match(value: JsonValue): Flows {
    const { flows, complete } = this.#table?.match(value) ?? { flows: [], complete: true };
    return { flows, complete: complete && !this.#missed };
  }

  /** Drops the table, at the end of the session. */
  release(): void {
    if (this.#table !== null) this.#memory.release();
    this.#table = null;
    this.#missed = true;
    this.#released = true;
  }
}
