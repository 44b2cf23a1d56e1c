import { jwkThumbprintText } from "@cmcp/attestation";
import {
  ERASABLE_KINDS,
  handOverSchema,
  LogState,
  readLeafFacts,
  readRecord,
  type HandOver,
  type History,
  type JournalRecord,
  type SignedLostStore,
  type Snapshot,
} from "@cmcp/audit";
import { bytesEqual, CmcpError, examine, fromBase64Url, fromHex, toHex, type Untrusted } from "@cmcp/boundary";
import {
  appendLeaves,
  EMPTY_RANGE,
  instanceKeyName,
  isSignedBy,
  leafHash,
  parseCheckpoint,
  parseNote,
  rangeFromHashes,
  rootOf,
  SIGNATURE_TYPE,
  verifierKey,
  type Checkpoint,
  type CompactRange,
  type Note,
} from "@cmcp/log";
import type { ShownRecord } from "@cmcp/wire";
import type { HostLog, ShownHead } from "./host-log.ts";

/** Leaves that are hashed into the tree at once. */
const LEAVES_TOGETHER = 256;

/** The log before this instance. */
export interface LogPast {
  /** What its records amount to; of nobody's past if it is not to be relied on. */
  readonly state: LogState;
  readonly range: CompactRange;
  /** What the first record of this instance says of it. */
  readonly predecessor: HandOver["predecessor"];
  readonly history: History;
  /** Sealed identities of instances, latest first, base64url. They need no belief: one unseals or it does not. */
  readonly sealedIdentities: readonly string[];
  /** Records at the newest snapshot. */
  readonly snapshotAt: number;
}

/** What reading the log needs. */
export interface LogReaderPorts {
  readonly journal: Pick<HostLog, "readHead" | "readRange" | "scan">;
  readonly origin: string;
  /** The statement that opened the log's epoch; `null` in the first one. */
  readonly lostStore: SignedLostStore | null;
  /** Whether the document lets this instance believe what another one wrote. */
  readonly believes: (handOver: HandOver) => Promise<boolean>;
}

/**
 * Reads the log that this instance continues: the newest snapshot and every record behind it. They count if they have
 * the root that the newest note names, and if every instance that wrote them is believed, the one that signed the note
 * included.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` for the log of another origin, or one that cannot be continued; `AUDIT_STORE_UNAVAILABLE`
 */
export async function readLog(ports: LogReaderPorts): Promise<LogPast> {
  const { journal, origin } = ports;
  const head = await journal.readHead();
  if (head === null)
    return {
      state: new LogState(),
      range: EMPTY_RANGE,
      predecessor: null,
      // Principals of an earlier epoch have a past that is not in this log.
      history: ports.lostStore === null ? { state: "complete" } : { state: "incomplete", reason: "lost-store" },
      sealedIdentities: [],
      snapshotAt: 0,
    };
  const { note, checkpoint } = newestNote(head);
  if (checkpoint.origin !== origin)
    throw new CmcpError(
      "AUDIT_STORE_MISMATCH",
      `the audit store holds the log ${JSON.stringify(checkpoint.origin)}, and log.origin is ${JSON.stringify(origin)}`,
    );
  const tail = await readTail(journal, head);
  const history = await historyOf(tail, { note, checkpoint, believes: ports.believes });
  const relied = history.state === "complete" || history.reason === "missing-body";
  return {
    state: relied && tail !== null ? tail.state : new LogState(),
    range: await requireRange(journal, tail, checkpoint),
    predecessor: { size: checkpoint.size, root: toHex(checkpoint.root), instance: signerOf(note) },
    history,
    sealedIdentities: tail?.state.sealedIdentities ?? [],
    snapshotAt: tail?.snapshotAt ?? 0,
  };
}

function newestNote({ size, note: text }: ShownHead): { readonly note: Note; readonly checkpoint: Checkpoint } {
  try {
    const note = parseNote(text);
    const checkpoint = parseCheckpoint(note.text);
    if (checkpoint.size === size) return { note, checkpoint };
  } catch (thrown) {
    throw new CmcpError("AUDIT_STORE_MISMATCH", "the newest note of the audit store is malformed", { cause: thrown });
  }
  throw new CmcpError("AUDIT_STORE_MISMATCH", "the newest note of the audit store is of another size than the log");
}

/** The instance whose key has a signature line in a note. */
function signerOf({ signatures }: Note): string | null {
  const prefix = instanceKeyName("");
  const name = signatures.find(({ name: of }) => of.startsWith(prefix))?.name.slice(prefix.length);
  return name !== undefined && /^[A-Za-z0-9_-]{43}$/.test(name) ? name : null;
}

/** What the records from the newest snapshot on amount to. */
interface Tail {
  readonly state: LogState;
  readonly range: CompactRange;
  /** Everyone who wrote: the author of the snapshot, and each hand-over behind it. */
  readonly writers: readonly HandOver[];
  /** Whether every record has the body that its leaf commits to. */
  readonly whole: boolean;
  readonly snapshotAt: number;
}

/** `null` where no snapshot fits. */
async function readTail(journal: LogReaderPorts["journal"], head: ShownHead): Promise<Tail | null> {
  const begun =
    head.snapshot === null ? { fold: new TailFold(null), from: 0 } : await beginAtSnapshot(journal, head.snapshot);
  if (begun === null) return null;
  for await (const shown of journal.scan({ from: begun.from, to: head.size })) if (!begun.fold.add(shown)) return null;
  return begun.fold.finish(head.size);
}

async function beginAtSnapshot(
  journal: LogReaderPorts["journal"],
  at: number,
): Promise<{ readonly fold: TailFold; readonly from: number } | null> {
  for await (const { index, leaf, body } of journal.scan({ from: at, to: at + 1 })) {
    const record = index === at ? readRecord(leaf, body) : null;
    if (record?.kind !== "snapshot" || record.body.at + record.body.parts !== at) return null;
    const author = handOverSchema.safeParse(record.body.hand_over);
    if (!author.success) return null;
    const fold = new TailFold({ snapshot: record.body, leaf: examine(leaf), author: author.data });
    return fold.begins ? { fold, from: record.body.at } : null;
  }
  return null;
}

interface Beginning {
  readonly snapshot: Snapshot;
  /** The leaf of the snapshot's record. */
  readonly leaf: Uint8Array;
  readonly author: HandOver;
}

/** Records from a snapshot on, one after the other: first its parts, then its own record, then what was written since. */
class TailFold {
  readonly #state = new LogState();
  readonly #beginning: Beginning | null;
  readonly #writers: HandOver[] = [];
  #range: CompactRange = EMPTY_RANGE;
  #leaves: Uint8Array[] = [];
  #next: number;
  #whole = true;
  readonly begins: boolean;

  /** @param beginning `null` to begin with the empty log, which needs no snapshot */
  constructor(beginning: Beginning | null) {
    this.#beginning = beginning;
    this.#next = beginning?.snapshot.at ?? 0;
    this.begins = beginning === null || this.#restore(beginning);
  }

  #restore({ snapshot, author }: Beginning): boolean {
    const hashes = snapshot.range.map((text) => fromHex(text) ?? new Uint8Array());
    const range = rangeOf(snapshot.at, hashes);
    if (range === null) return false;
    this.#range = range;
    this.#state.restoreSummary(snapshot, author);
    this.#writers.push(author);
    return true;
  }

  /** @returns false where the records are not those that the snapshot names, or one is missing */
  add({ index, leaf, body }: ShownRecord): boolean {
    if (index !== this.#next) return false;
    this.#next += 1;
    this.#hash(leaf);
    const record = readRecord(leaf, body);
    const section = this.#sectionOf(index);
    if (record === null && !isErased(leaf, body)) this.#whole = false;
    if (section === "later") this.#apply(record, index);
    else if (section === "part") return record === null || this.#restorePart(record, index);
    else return bytesEqual(examine(leaf), this.#beginning?.leaf ?? new Uint8Array());
    return true;
  }

  #sectionOf(index: number): "part" | "snapshot" | "later" {
    const snapshot = this.#beginning?.snapshot;
    if (snapshot === undefined || index > snapshot.at + snapshot.parts) return "later";
    return index === snapshot.at + snapshot.parts ? "snapshot" : "part";
  }

  #restorePart(record: JournalRecord, index: number): boolean {
    const at = this.#beginning?.snapshot.at ?? 0;
    if (record.kind !== "snapshot-part" || record.body.part !== index - at) return false;
    return record.body.rows.every((row) => this.#state.restoreRow(row));
  }

  #apply(record: JournalRecord | null, index: number): void {
    if (record === null) return;
    if (record.kind === "hand-over") this.#writers.push(record.body);
    this.#state.apply(record, record.instance, index);
  }

  #hash(leaf: Untrusted<Uint8Array>): void {
    this.#leaves.push(leafHash(examine(leaf)));
    if (this.#leaves.length >= LEAVES_TOGETHER) this.#grow();
  }

  #grow(): void {
    this.#range = appendLeaves(this.#range, this.#leaves).range;
    this.#leaves = [];
  }

  finish(size: number): Tail | null {
    this.#grow();
    if (this.#next !== size) return null;
    return {
      state: this.#state,
      range: this.#range,
      writers: this.#writers,
      whole: this.#whole,
      snapshotAt: this.#beginning?.snapshot.at ?? 0,
    };
  }
}

/** Whether a record has no body, and is of a kind that this instance has no use for. */
function isErased(leaf: Untrusted<Uint8Array>, body: Untrusted<Uint8Array>): boolean {
  const kind = examine(body).length === 0 ? readLeafFacts(leaf)?.kind : undefined;
  return kind !== undefined && ERASABLE_KINDS.includes(kind);
}

interface HeadToBelieve {
  readonly note: Note;
  readonly checkpoint: Checkpoint;
  readonly believes: LogReaderPorts["believes"];
}

/** Whether the records can be relied on, and why not. */
async function historyOf(tail: Tail | null, { note, checkpoint, believes }: HeadToBelieve): Promise<History> {
  if (tail === null || !bytesEqual(rootOf(tail.range), checkpoint.root))
    return { state: "incomplete", reason: "no-snapshot" };
  const last = tail.writers.at(-1);
  if (last === undefined || !isSignedByInstance(note, last)) return { state: "incomplete", reason: "unbelieved" };
  for (const writer of tail.writers)
    if (!(await believes(writer))) return { state: "incomplete", reason: "unbelieved" };
  return tail.whole ? { state: "complete" } : { state: "incomplete", reason: "missing-body" };
}

function isSignedByInstance(note: Note, { jwk }: HandOver): boolean {
  const publicKey = fromBase64Url(jwk.x);
  if (publicKey === undefined) return false;
  return isSignedBy(note, verifierKey(instanceKeyName(jwkThumbprintText(jwk)), SIGNATURE_TYPE.ed25519, publicKey));
}

/** The tree that this instance continues: as the records have it, or as the host says, if that is the tree of the newest note. */
async function requireRange(
  journal: LogReaderPorts["journal"],
  tail: Tail | null,
  { size, root }: Checkpoint,
): Promise<CompactRange> {
  if (tail !== null && bytesEqual(rootOf(tail.range), root)) return tail.range;
  const range = rangeOf(size, await journal.readRange(size));
  if (range !== null && bytesEqual(rootOf(range), root)) return range;
  throw new CmcpError(
    "AUDIT_STORE_MISMATCH",
    "the log of the audit store cannot be continued: it does not have the root that its newest note names",
  );
}

/** `null` for hashes that are no compact range of this size. */
function rangeOf(size: number, hashes: readonly Uint8Array[]): CompactRange | null {
  try {
    return rangeFromHashes(size, hashes);
  } catch (thrown) {
    if (thrown instanceof CmcpError) return null;
    throw thrown;
  }
}
