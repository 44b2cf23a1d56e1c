import { SharedSlots, type JsonValue } from "@cmcp/boundary";
import { FlowKey, FlowTable, type Flows, type FlowSource } from "@cmcp/flows";

/** Slots of one session's table: 1 MiB, for about 440 000 letters of results. */
const SLOTS = 1 << 17;
/** Tables of all sessions together: 64 MiB. A session that gets none has incomplete flows. */
const MAX_TABLES = 64;

/** The tables that sessions share, and the key of their hashes. Principals share them so that one more finds a free one. */
export class FlowMemory {
  readonly #slots: number;
  readonly #tables: SharedSlots;
  #key: FlowKey | null = null;

  /** @param tables tables of all sessions together */
  constructor(tables: number = MAX_TABLES, slots: number = SLOTS) {
    this.#tables = new SharedSlots(tables);
    this.#slots = slots;
  }

  /** A new table for a session of a principal, and what gives its room back; `null` when there is no room. */
  take(principal: string): { readonly table: FlowTable; readonly release: () => void } | null {
    if (!this.#tables.isOpenTo(principal)) return null;
    this.#key ??= new FlowKey();
    const release = this.#tables.take(principal, "tables of flows");
    return { table: new FlowTable(this.#key, this.#slots), release };
  }
}

/** What one session was handed, for finding it in later calls. The table is made with the first result that rules want to know of. */
export class SessionFlows {
  readonly #memory: FlowMemory;
  readonly #principal: string;
  #held: ReturnType<FlowMemory["take"]> = null;
  #missed = false;
  #released = false;

  constructor(memory: FlowMemory, principal: string) {
    this.#memory = memory;
    this.#principal = principal;
  }

  /** Adds what a source delivers, before it is delivered. @param args what the call sent; what stands there is no flow from its result */
  add(source: FlowSource, value: JsonValue, args: JsonValue): void {
    if (!this.#released) this.#held ??= this.#memory.take(this.#principal);
    if (this.#held === null) this.#missed = true;
    else this.#held.table.add(source, value, args);
  }

  /** Notes that something is delivered that no rule in force wants to know of. */
  skip(): void {
    this.#missed = true;
  }

  /** What of the results stands in a value. */
  match(value: JsonValue): Flows {
    const { flows, complete } = this.#held?.table.match(value) ?? { flows: [], complete: true };
    return { flows, complete: complete && !this.#missed };
  }

  /** Drops the table, at the end of the session. */
  release(): void {
    this.#held?.release();
    this.#held = null;
    this.#missed = true;
    this.#released = true;
  }
}
