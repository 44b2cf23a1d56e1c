import { BundleWriter, type AuditEntry, type Sign } from "@cmcp/audit";
import { canonicalText, CmcpError } from "@cmcp/boundary";
import { Admission } from "../access/admission.ts";
import type { Turns } from "@cmcp/wire";
import { reportFault } from "../instance/stderr-events.ts";
import { readEntries, type ChainPoint, type OwnJournal } from "./read-entries.ts";

/** Most exports that run at one time. `Admission` limits the share of one principal; further ones wait. */
const MAX_RUNNING = 8;
/** Most exports of one principal that run or wait. */
const MAX_PER_PRINCIPAL = 128;
/** Entries of one piece. An entry is a kilobyte or two. */
const PIECE_ENTRIES = 16;

/** What exporting needs. */
export interface ExportsPorts {
  readonly own: OwnJournal;
  readonly sign: Sign;
  readonly turns: Turns;
}

/** Who asks for an export. `signal` aborts when the request is over. */
export interface Exporter {
  readonly principalId: string;
  readonly signal: AbortSignal;
}

/** Streams bundles of sessions from the host's store: a bounded number of them at one time, each a piece at a time. */
export class Exports {
  readonly #ports: ExportsPorts;
  readonly #admission = new Admission({ maxRunning: MAX_RUNNING, maxPerPrincipal: MAX_PER_PRINCIPAL });

  constructor(ports: ExportsPorts) {
    this.#ports = ports;
  }

  /**
   * A session's bundle up to a point of its chain, as text in pieces. The first piece is read already, so that what is
   * wrong with it is an error and not an answer that ends early.
   * @param sign the signature of the bundle; this instance's without
   * @throws CmcpError `OVERLOADED`; `AUDIT_STORE_MISMATCH`, `AUDIT_STORE_UNAVAILABLE`, also while the pieces are read
   */
  async open(exporter: Exporter, point: ChainPoint, sign: Sign = this.#ports.sign): Promise<AsyncIterable<Uint8Array>> {
    return await this.stream(exporter, () => this.#bundle(point, sign));
  }

  /** As {@link open}, for pieces of the caller's own. They are made while one of the bounded places is held. */
  async stream(
    { principalId, signal }: Exporter,
    pieces: () => AsyncGenerator<string, void, void>,
  ): Promise<AsyncIterable<Uint8Array>> {
    const over = Promise.withResolvers<void>();
    const slot = Promise.withResolvers<void>();
    this.#admission
      .run(principalId, signal, async () => {
        slot.resolve();
        await over.promise;
      })
      .catch(slot.reject);
    await slot.promise;
    const source = pieces();
    // Ends the reading too. Nobody may have begun to read the pieces when the request ends.
    const end = (): void => {
      over.resolve();
      source.return().catch(reportFault);
    };
    signal.addEventListener("abort", end, { once: true });
    try {
      const first = await source.next();
      if (signal.aborted) throw new CmcpError("REQUEST_CANCELLED", "the caller went away");
      return rest(first, source, end);
    } catch (thrown) {
      end();
      throw thrown;
    }
  }

  async *#bundle(point: ChainPoint, sign: Sign): AsyncGenerator<string, void, void> {
    const writer = new BundleWriter(point.session);
    for await (const entries of this.#pieces(point)) yield writer.add(entries);
    yield writer.end(sign);
  }

  /** A session's entries up to a point of its chain, as members of an array, in pieces. @throws as {@link open} */
  async *entriesText(point: ChainPoint): AsyncGenerator<string, void, void> {
    let isFirst = true;
    for await (const entries of this.#pieces(point)) {
      yield `${isFirst ? "" : ","}${entries.map((entry) => canonicalText(entry)).join(",")}`;
      isFirst = false;
    }
  }

  async *#pieces(point: ChainPoint): AsyncGenerator<readonly AuditEntry[], void, void> {
    let entries: AuditEntry[] = [];
    for await (const entry of readEntries(this.#ports.own, point)) {
      entries.push(entry);
      if (entries.length < PIECE_ENTRIES) continue;
      await this.#ports.turns.next();
      yield entries;
      entries = [];
    }
    if (entries.length > 0) yield entries;
  }
}

/** A generator's pieces from its first one on, as bytes. */
async function* rest(
  first: IteratorResult<string, void>,
  source: AsyncGenerator<string, void, void>,
  done: () => void,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (let step = first; step.done !== true; step = await source.next()) yield Buffer.from(step.value);
  } finally {
    done();
  }
}
