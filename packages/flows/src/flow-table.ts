import type { JsonValue } from "@cmcp/boundary";
import { decodedTexts, stringLeaves, WorkBudget, type Leaf } from "@cmcp/findings";
import { scanText, type Coverage, type ScanPorts } from "./argument-scan.ts";
import { GRAM } from "./fingerprints.ts";
import type { FlowKey } from "./flow-key.ts";
import { SLOT_BYTES, Slots } from "./slots.ts";
import { eachSourceHash, Echo, joined } from "./source-text.ts";

/** Slots of a table where none are named: 2 MiB, for about 880 000 letters of results. */
export const DEFAULT_SLOTS = 1 << 18;
/** Most sources that a table tells apart. */
export const MAX_SOURCES = 1024;
/** Most flows that one match gives. */
export const MAX_FLOWS = 64;
/** UTF-16 units that one look may read, counting a unit again for each pass and each decoding: 4 Mi. */
const WORK = 4 * 1024 * 1024;

/** Where delivered data came from. */
export interface FlowSource {
  readonly server: string;
  readonly tool: string;
  readonly labels: readonly string[];
}

/**
 * How arguments match. `exact`: a whole value or an identifier. `fingerprint`: a run of letters. `encoded`: either of
 * them, and only or mostly in what the arguments decode to.
 */
export type FlowKind = "exact" | "fingerprint" | "encoded";

/** One kind of match with one source. */
export interface Flow {
  readonly source: FlowSource;
  readonly kind: FlowKind;
  /** JSON pointer (RFC 6901) of the argument with the highest coverage; empty for all arguments together. */
  readonly path: string;
  /** Share of that argument's letters and digits, or of what it decodes to, that match: 1 to 100. */
  readonly coverage: number;
}

/** What was found. */
export interface Flows {
  /** Highest coverage first. */
  readonly flows: readonly Flow[];
  /** False when a source, an argument or a flow may be missing. */
  readonly complete: boolean;
}

/** Bytes of a table's arrays. */
export function tableBytes(slots: number): number {
  return slots * SLOT_BYTES;
}

/** The best flow of each source and kind. */
class Best {
  readonly #flows = new Map<string, Flow>();
  readonly #sources: readonly FlowSource[];

  constructor(sources: readonly FlowSource[]) {
    this.#sources = sources;
  }

  add({ exact, fingerprint }: Coverage, path: string, encoded: boolean): void {
    for (const [kind, shares] of [["exact", exact] as const, ["fingerprint", fingerprint] as const])
      for (const [index, coverage] of shares) this.#raise(index, encoded ? "encoded" : kind, { path, coverage });
  }

  /** Flows of decoded texts count where they say more than the plain ones. */
  flows(): Flow[] {
    const flows: Flow[] = [];
    for (const index of this.#sources.keys()) {
      const plain = [this.#flows.get(`${index}:exact`), this.#flows.get(`${index}:fingerprint`)].filter(
        (flow) => flow !== undefined,
      );
      const encoded = this.#flows.get(`${index}:encoded`);
      flows.push(...plain);
      if (encoded !== undefined && plain.every(({ coverage }) => coverage < encoded.coverage)) flows.push(encoded);
    }
    return flows.sort((one, other) => other.coverage - one.coverage);
  }

  #raise(index: number, kind: FlowKind, { path, coverage }: { path: string; coverage: number }): void {
    const source = this.#sources[index];
    const name = `${index}:${kind}`;
    if (source === undefined || (this.#flows.get(name)?.coverage ?? 0) >= coverage) return;
    this.#flows.set(name, { source, kind, path, coverage });
  }
}

/**
 * What was delivered to one session, as keyed hashes in memory of fixed size, and what of it stands in later arguments. It keeps no text.
 * A table that is full, or was given more than it could read, is incomplete from then on.
 */
export class FlowTable {
  readonly #slots: Slots;
  readonly #key: FlowKey;
  readonly #sources: FlowSource[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #servers = new Map<string, number>();
  #complete = true;

  /** @param slots number of slots, a power of two */
  constructor(key: FlowKey, slots: number = DEFAULT_SLOTS) {
    this.#key = key;
    this.#slots = new Slots(slots);
  }

  /** False once something that was delivered is not in the table. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Slots in use. */
  get used(): number {
    return this.#slots.used;
  }

  /**
   * Adds what a source delivered.
   * @param args the arguments of the same call; what stands in them is an echo, and not added
   */
  add(source: FlowSource, value: JsonValue, args?: JsonValue): void {
    const index = this.#indexOf(source);
    if (index === null) {
      this.#complete = false;
      return;
    }
    const echo = new Echo(args, this.#key, new WorkBudget(WORK));
    const whole = eachSourceHash(value, this.#key, new WorkBudget(WORK), (hash, check) => {
      if (!echo.has(hash, check) && !this.#slots.add(hash, check, index)) this.#complete = false;
    });
    if (!whole) this.#complete = false;
  }

  /** What of the earlier sources stands in arguments, encoded or not. */
  match(args: JsonValue): Flows {
    const budget = new WorkBudget(WORK);
    const { leaves, complete } = stringLeaves(args);
    const best = new Best(this.#sources);
    const servers = this.#sources.map(({ server }) => this.#servers.get(server) ?? 0);
    const ports: ScanPorts = { slots: this.#slots, key: this.#key, budget, serverOf: (index) => servers[index] ?? 0 };
    for (const { text, path } of leaves) best.add(scanText(text, ports), path, false);
    best.add(scanText(joined(leaves, false), ports), "", false);
    for (const leaf of leaves) scanDecodings(leaf, ports, best);
    const flows = best.flows();
    return {
      flows: flows.slice(0, MAX_FLOWS),
      complete: this.#complete && complete && budget.complete && flows.length <= MAX_FLOWS,
    };
  }

  /** The number of a source, given on first use; `null` when there are too many. */
  #indexOf({ server, tool, labels }: FlowSource): number | null {
    const sorted = [...labels].sort();
    const name = JSON.stringify([server, tool, sorted]);
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    if (this.#sources.length >= MAX_SOURCES) return null;
    if (!this.#servers.has(server)) this.#servers.set(server, this.#servers.size);
    this.#indexes.set(name, this.#sources.length);
    return this.#sources.push({ server, tool, labels: sorted }) - 1;
  }
}

function scanDecodings({ text, path }: Leaf, ports: ScanPorts, best: Best): void {
  if (text.length < GRAM) return;
  for (const { plain } of decodedTexts(text, ports.budget).texts.slice(1)) best.add(scanText(plain, ports), path, true);
}
