import { hash } from "node:crypto";
import { jwkThumbprintText } from "@cmcp/attestation";
import {
  epochOpening,
  epochProblem,
  handOverSchema,
  isHashed,
  readLeafFacts,
  readRecord,
  successorOf,
  verifiesStatement,
  type HandOver,
  type JournalRecord,
  type LeafFacts,
  type RecordKind,
  type SignedLostStore,
  type SigningJwk,
} from "@cmcp/audit";
import { bytesEqual, canonicalText, fromHex, untrusted, type JsonObject } from "@cmcp/boundary";
import { appendLeaves, EMPTY_RANGE, leafHash, rootOf, type CompactRange } from "@cmcp/log";
import { ProvisionChain } from "./provision-chain.ts";
import { SessionChains } from "./session-chains.ts";
import type { ExportedRecord } from "./exported-log.ts";

/** What is looked at of records, each with its first problem. */
export type RecordSubject = "records" | "hand-overs" | "epoch" | "session chains" | "provisionings";

/** Leaves that are hashed into the tree at once. */
const LEAVES_TOGETHER = 256;

/** Who writes at a place of the log. */
interface Writer {
  readonly instance: string;
  readonly seq: number;
  /** `null` while no body has shown it. */
  readonly jwk: SigningJwk | null;
}

/** Checks each record of a log against those before it. The tree is for others to check. */
export class RecordFold {
  readonly #origin: string;
  readonly #chains = new SessionChains();
  readonly #provisionings = new ProvisionChain();
  readonly #problems = new Map<RecordSubject, string>();
  readonly #counts = new Map<RecordKind, number>();
  #writer: Writer | null = null;
  #range: CompactRange = EMPTY_RANGE;
  #leaves: Uint8Array[] = [];
  #interrupted = 0;
  #withoutBodies = 0;
  #index = 0;
  #lostStore: SignedLostStore | null = null;

  /** @param origin the log's name, which its checkpoint has */
  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Key of the instance that wrote last; `null` where no body shows it. */
  get key(): SigningJwk | null {
    return this.#writer?.jwk ?? null;
  }

  /** Thumbprint of the instance that wrote last. */
  get instance(): string | null {
    return this.#writer?.instance ?? null;
  }

  get withoutBodies(): number {
    return this.#withoutBodies;
  }

  /** Stored sets that a storage key brought back. */
  get restored(): number {
    return this.#provisionings.restored;
  }

  /** Sessions without an end whose instance writes no more. */
  get interrupted(): number {
    return this.#interrupted;
  }

  /** The statement that opened the log's epoch; `null` for the first one, and where no body shows it. */
  get lostStore(): SignedLostStore | null {
    return this.#lostStore;
  }

  problem(subject: RecordSubject): string | undefined {
    const found = this.#problems.get(subject);
    if (found !== undefined || subject !== "epoch" || this.#lostStore !== null) return found;
    return epochProblem(this.#origin, null) ?? undefined;
  }

  /** Records of a kind. */
  count(kind: RecordKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  add({ index, header, body }: ExportedRecord): void {
    this.#index = index;
    const there = body.length > 0;
    const record = there ? readRecord(untrusted(header), untrusted(body)) : null;
    const facts = record ?? readLeafFacts(untrusted(header));
    if (!there) this.#withoutBodies += 1;
    if (facts === null || (there && record === null))
      this.#found("records", facts === null ? "a leaf of no known form" : "a body that its leaf does not commit to");
    else this.#addKnown(facts, record);
    this.#leaves.push(leafHash(header));
    if (this.#leaves.length === LEAVES_TOGETHER) this.#grow();
  }

  #addKnown(facts: LeafFacts, record: JournalRecord | null): void {
    this.#counts.set(facts.kind, this.count(facts.kind) + 1);
    if (facts.kind === "hand-over") this.#begin(facts, record?.kind === "hand-over" ? record.body : null);
    else this.#follow(facts);
    if (facts.kind === "entry") this.#enter(facts, record);
    if (facts.kind === "provision") this.#provide(record);
    if (record?.kind === "claim" && hashOf(record.body.claim) !== record.body.claim_hash)
      this.#found("records", "a claim that does not hash to its claim_hash");
    if (record?.kind === "snapshot") this.#learnKey(handOverSchema.safeParse(record.body.hand_over).data);
  }

  #begin({ instance, seq }: LeafFacts, handOver: HandOver | null): void {
    const before = this.#writer;
    this.#interrupted += this.#chains.size;
    this.#chains.begin();
    this.#writer = { instance, seq, jwk: null };
    this.#learnKey(handOver ?? undefined);
    if (seq !== 0) this.#found("hand-overs", "a hand-over that is not its instance's first record");
    if (handOver === null) return;
    this.#open(handOver);
    if (this.#writer.jwk === null) this.#found("hand-overs", "a hand-over of another key than its leaf's");
    const { predecessor } = handOver;
    const continues =
      predecessor === null
        ? this.#index === 0
        : predecessor.size === this.#index &&
          predecessor.instance === (before?.instance ?? null) &&
          bytesEqual(fromHex(predecessor.root) ?? new Uint8Array(), this.#root());
    if (!continues) this.#found("hand-overs", "a hand-over that continues another log, or another head of it");
  }

  #open({ lost_store: lostStore, history }: HandOver): void {
    const facts = { index: this.#index, lostStore, isComplete: history.state === "complete" };
    const { problem, opened } = epochOpening(this.#origin, facts);
    if (problem !== null) this.#found("epoch", problem);
    else if (opened !== null && !verifiesStatement(opened.key, opened.statement, opened.signature))
      this.#found("epoch", "the key of the statement that opened the epoch did not sign it");
    else this.#lostStore = opened;
  }

  /** The key comes from a hand-over or a snapshot: whichever names it, its thumbprint is in each leaf. */
  #learnKey(handOver: HandOver | undefined): void {
    const writer = this.#writer;
    if (handOver !== undefined && writer?.instance === jwkThumbprintText(handOver.jwk))
      this.#writer = { ...writer, jwk: handOver.jwk };
  }

  #follow({ instance, seq }: LeafFacts): void {
    const writer = this.#writer;
    if (writer?.instance !== instance) this.#found("hand-overs", "a record of an instance that has not the log");
    else if (seq !== writer.seq + 1) this.#found("hand-overs", "a record whose number does not follow");
    if (writer !== null) this.#writer = { ...writer, seq };
  }

  #enter({ receipt }: LeafFacts, record: JournalRecord | null): void {
    const entry = record?.kind === "entry" ? record.body : null;
    if (entry === null && receipt === null) return this.#chains.addUnknown();
    const { session_id, sequence_number, entry_hash, prev_entry_hash } = entry ?? receipt ?? {};
    if (session_id === undefined || sequence_number === undefined || entry_hash === undefined) return;
    if (entry !== null && !isHashed(entry)) this.#found("records", "an entry that does not hash to its entry_hash");
    if (entry !== null && (entry.entry_type === "session_start") !== (sequence_number === 0))
      this.#found("session chains", "session_start is the first entry of a session and no other");
    const problem = this.#chains.add({
      session: session_id,
      number: sequence_number,
      hash: entry_hash,
      previous: prev_entry_hash ?? "",
      last: entry?.entry_type === "session_end",
      successor: entry === null ? null : successorOf(entry),
    });
    if (problem !== null) this.#found("session chains", problem);
  }

  #provide(record: JournalRecord | null): void {
    const problem = this.#provisionings.add(record?.kind === "provision" ? record.body : null);
    if (problem !== null) this.#found("provisionings", problem);
  }

  #found(subject: RecordSubject, problem: string): void {
    if (!this.#problems.has(subject)) this.#problems.set(subject, `record ${this.#index}: ${problem}`);
  }

  /** Root of the tree over all records before this one. */
  #root(): Uint8Array {
    this.#grow();
    return rootOf(this.#range);
  }

  #grow(): void {
    this.#range = appendLeaves(this.#range, this.#leaves).range;
    this.#leaves = [];
  }
}

/** `sha256:` and hex of a value's canonical JSON. */
function hashOf(value: JsonObject): string {
  return `sha256:${hash("sha256", canonicalText(value))}`;
}
