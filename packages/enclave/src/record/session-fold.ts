import { createHash } from "node:crypto";
import type { AuditEntry, EncodedEntry, Sign } from "@cmcp/audit";
import { toBase64Url } from "@cmcp/boundary";
import { CallSummaryBuilder, type CallFacts } from "@cmcp/claim";

/** Most bytes of a transcript in a claim. The claim and its evidence fit into one record. */
const MAX_TRANSCRIPT_BYTES = 8 * 1024 * 1024;
/** Most bytes of a transcript's distinct rows in memory. A catalog may have many long names. */
const MAX_DISTINCT_BYTES = 1024 * 1024;

/** What a claim says of a session's entries up to one of them. */
export interface FoldedEntries {
  readonly calls: CallFacts;
  /** The last policy that the entries name. The policy in force may be newer. */
  readonly policy: { readonly hash: string; readonly version: string };
  /** Hash of the last catalog that the entries name. */
  readonly catalogHash: string;
  /** The bundle's signature, once `session_end` is among the entries. */
  readonly bundleSignature: string | null;
}

/**
 * What claims need of a session's entries, kept up to date as they are written, so that a claim reads nothing back.
 * Adding an entry takes the same time however many there were.
 */
export class SessionFold {
  readonly #calls = new CallSummaryBuilder();
  /** Of the canonical array of the entries, without its closing bracket. */
  readonly #bundle = createHash("sha256");
  #policy: FoldedEntries["policy"] = { hash: "", version: "" };
  #catalogHash = "";
  #entries = 0;
  #ended = false;

  /** Adds the next entry of the chain. */
  add({ entry, written }: EncodedEntry): void {
    this.#calls.add(entry);
    this.#bundle.update(`${this.#entries === 0 ? "[" : ","}${written.text}`);
    this.#entries += 1;
    this.#ended = entry.entry_type === "session_end";
    if (namesPolicy(entry))
      this.#policy = { hash: String(entry.detail?.["policy_hash"]), version: String(entry.detail?.["policy_version"]) };
    if (namesCatalog(entry)) this.#catalogHash = String(entry.detail?.["catalog_hash"]);
  }

  /** Whether the session has as much to say as one claim may hold. */
  get isFull(): boolean {
    return this.#calls.transcriptBytes > MAX_TRANSCRIPT_BYTES || this.#calls.distinctBytes > MAX_DISTINCT_BYTES;
  }

  /** The facts so far. Further entries do not change them. */
  read(sign: Sign): FoldedEntries {
    const bundleSignature = this.#ended ? toBase64Url(sign(this.#bundle.copy().update("]").digest())) : null;
    const calls = this.#calls.finish();
    return { calls, policy: this.#policy, catalogHash: this.#catalogHash, bundleSignature };
  }
}

function namesPolicy({ entry_type: type }: AuditEntry): boolean {
  return type === "policy_load" || type === "session_start";
}

function namesCatalog({ entry_type: type }: AuditEntry): boolean {
  return type === "catalog_load" || type === "session_start";
}
