import { CmcpError } from "@cmcp/boundary";
import {
  HASH_BYTES,
  MAX_NOTE_BYTES,
  parseCheckpoint,
  parseNote,
  TILE_WIDTH,
  tilePath,
  type Checkpoint,
  type Note,
  type Tile,
} from "@cmcp/log/format";
import { ShownLog, type VerifierCrypto } from "@cmcp/verify";
import { collect } from "./bytes.ts";

/** Receipts, or milliseconds, after which the published log is asked for again. */
const CHECK_RECEIPTS = 64;
const CHECK_MS = 30_000;
/** Pause after a log that could not be read, in milliseconds. */
const RETRY_MS = 10 * 60_000;
/** Most heads that wait for a published log that has them. */
const MAX_WAITING = 256;

/** What reading a published log takes. */
export interface PublishedLogPorts {
  /** The gateway's base URL, with a slash at its end. */
  readonly gateway: URL;
  readonly crypto: VerifierCrypto;
  readonly fetch: typeof globalThis.fetch;
  readonly monotonic: () => number;
  /** Called once, with the reason, where the log cannot be read. */
  readonly onUnpublished: (why: string) => void;
}

/**
 * The heads of one connection's receipts, held to the log that the host publishes (C2SP tlog-tiles: `checkpoint` and `tile/…`). A host that
 * shows this client another log than the world is found, by tiles and hashes alone.
 */
export class PublishedLog {
  readonly #ports: PublishedLogPorts;
  /** Heads that no published log was held to, by size. */
  readonly #waiting = new Map<number, Checkpoint>();
  /** The newest published head. */
  #published: Checkpoint | null = null;
  #receipts = CHECK_RECEIPTS;
  #next = 0;
  /** Before that a log that could not be read is not asked for. */
  #retryAt = 0;
  #hasSaid = false;
  #checking: Promise<void> | null = null;
  #failure: CmcpError | null = null;

  constructor(ports: PublishedLogPorts) {
    this.#ports = ports;
  }

  /** @throws CmcpError `LOG_MISMATCH` once the published log did not have a head */
  assertConsistent(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Takes the head of a receipt. Now and then a check begins, for which nobody waits. */
  take(head: Checkpoint): void {
    this.#receipts += 1;
    // A head behind many others is in the log if a later one continues it. The oldest and the newest always stay.
    if (this.#waiting.size >= MAX_WAITING) this.#waiting.delete([...this.#waiting.keys()].at(-1) ?? head.size);
    this.#waiting.set(head.size, head);
    const now = this.#ports.monotonic();
    const isDue = this.#receipts >= CHECK_RECEIPTS || now >= this.#next;
    if (isDue && now >= this.#retryAt && this.#checking === null) void this.check();
  }

  /** Holds the heads so far to the published log. Resolves when that is done; what it finds is for {@link assertConsistent} to say. */
  async check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = null;
    });
    await this.#checking;
  }

  async #check(): Promise<void> {
    this.#receipts = 0;
    this.#next = this.#ports.monotonic() + CHECK_MS;
    if (this.#waiting.size === 0) return;
    try {
      await this.#hold(await this.#read());
    } catch (thrown) {
      if (thrown instanceof CmcpError && thrown.code === "LOG_MISMATCH") this.#failure = thrown;
      else this.#unreadable(thrown);
    }
  }

  async #hold(log: ShownLog): Promise<void> {
    const { checkpoint } = log.tiles;
    const heads = [...this.#waiting.values()].filter(({ size }) => size <= checkpoint.size);
    const known = [...(this.#published === null ? [] : [this.#published]), ...heads];
    // A head that it continues proves its root, too. Without one there is nothing to hold it to.
    if (known.length === 0) return;
    for (const head of known) if (!(await log.continues(head))) throw mismatch(head);
    this.#published = checkpoint;
    for (const { size } of heads) this.#waiting.delete(size);
  }

  async #read(): Promise<ShownLog> {
    const note = await this.#noteOf("checkpoint");
    const checkpoint = parseCheckpoint(note.text);
    return new ShownLog({ note, checkpoint, readTile: async (tile) => await this.#tile(tile) }, this.#ports.crypto);
  }

  async #noteOf(path: string): Promise<Note> {
    const bytes = await this.#get(path, MAX_NOTE_BYTES);
    return parseNote(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  }

  /** A partial tile may have made room for the full one (C2SP tlog-tiles, "Partial Tiles"). */
  async #tile(tile: Tile): Promise<Uint8Array> {
    const length = TILE_WIDTH * HASH_BYTES;
    if (tile.width === TILE_WIDTH) return await this.#get(tilePath(tile), length);
    return await this.#get(tilePath(tile), length).catch(
      async () => await this.#get(tilePath({ ...tile, width: TILE_WIDTH }), length),
    );
  }

  async #get(path: string, maxBytes: number): Promise<Uint8Array> {
    const answer = await this.#ports.fetch(new URL(path, this.#ports.gateway), { redirect: "error" });
    const bytes = answer.ok && answer.body !== null ? await collect(answer.body, maxBytes) : null;
    if (bytes !== null) return bytes;
    await answer.body?.cancel().catch(() => undefined);
    throw new CmcpError("GATEWAY_ANSWER_INVALID", `GET /${path} was answered ${answer.status}`);
  }

  #unreadable(thrown: unknown): void {
    this.#retryAt = this.#ports.monotonic() + RETRY_MS;
    if (this.#hasSaid) return;
    this.#hasSaid = true;
    const why = thrown instanceof CmcpError ? thrown.message : "its host does not answer";
    this.#ports.onUnpublished(`the log is not published, so that its heads are held to each other alone: ${why}`);
  }
}

function mismatch({ size, origin }: Checkpoint): CmcpError {
  return new CmcpError(
    "LOG_MISMATCH",
    `the log that the gateway's host publishes does not continue the head of ${size} records of ${origin} that was seen`,
  );
}
