import { createSecretKey, randomBytes, type KeyObject } from "node:crypto";
import {
  beginCommitment,
  commitmentTo,
  saltOf,
  sealPayloads,
  sealSessionKey,
  SESSION_KEY_BYTES,
  type Auditor,
  type CommittedTexts,
  type KeptPayloads,
  type SessionKeyRecord,
} from "@cmcp/audit";
import { MAX_KEPT_TEXT, type CommittedField } from "@cmcp/audit/schema";
import { toHex } from "@cmcp/boundary";
import { Transcript } from "./transcript.ts";

/**
 * The commitments of one session. Their key is made here. It leaves the enclave only sealed to the auditors that the
 * launch document names, and what was committed to only encrypted under it.
 */
export class SessionCommitments {
  readonly #key: KeyObject = createSecretKey(randomBytes(SESSION_KEY_BYTES));
  readonly #sessionId: string;
  readonly #auditors: readonly Auditor[];
  #count = 0;

  constructor(sessionId: string, auditors: readonly Auditor[] = []) {
    this.#sessionId = sessionId;
    this.#auditors = auditors;
  }

  /** The commitments of one call. */
  ofCall(callId: string): CallCommitments {
    const keep = (texts: CommittedTexts): KeptPayloads => this.#seal(callId, texts);
    return new CallCommitments((field) => saltOf(this.#key, callId, field), this.#auditors.length === 0 ? null : keep);
  }

  /** The session's key, sealed to each auditor; `null` where there is none. */
  sealedKey(): SessionKeyRecord | null {
    return this.#auditors.length === 0 ? null : sealSessionKey(this.#sessionId, this.#key, this.#auditors);
  }

  #seal(callId: string, texts: CommittedTexts): KeptPayloads {
    this.#count += 1;
    return sealPayloads(this.#key, { session_id: this.#sessionId, call_id: callId, number: this.#count }, texts);
  }
}

/** What one call's entry commits to. */
export class CallCommitments {
  readonly #saltOf: (field: CommittedField) => Uint8Array;
  readonly #keep: ((texts: CommittedTexts) => KeptPayloads) | null;
  /** Requests by their commitments; `null` where none are kept. An agent's answers can make a second one. */
  readonly #requests: Map<string, string> | null;
  /** Every message that the agent is handed. */
  readonly response: Transcript;
  /** Every message of the server. */
  readonly upstream: Transcript;
  /** Every request to Cedar. */
  readonly cedar: Transcript;
  /** The agent's answers to a waiting server. */
  readonly answers: Transcript;

  /** @param keep encrypts what is committed to for auditors; `null` where there are none */
  constructor(salt: (field: CommittedField) => Uint8Array, keep: ((texts: CommittedTexts) => KeptPayloads) | null) {
    const keeps = keep !== null;
    this.#saltOf = salt;
    this.#keep = keep;
    this.#requests = keeps ? new Map() : null;
    const array = (field: CommittedField): Transcript =>
      new Transcript(() => beginCommitment(field, salt(field)), keeps ? MAX_KEPT_TEXT : 0);
    this.response = array("response");
    this.upstream = array("upstream");
    this.cedar = array("cedar");
    this.answers = array("answers");
  }

  /** The commitment to the canonical JSON of method and parameters as they leave. */
  toRequest(text: string): string {
    const commitment = commitmentTo("request", this.#saltOf("request"), text);
    this.#requests?.set(commitment, text);
    return commitment;
  }

  /** The salts, in hex, of what the agent sent and was handed. They open nothing but these two commitments. */
  salts(): Readonly<Record<"request" | "response", string>> {
    return { request: toHex(this.#saltOf("request")), response: toHex(this.#saltOf("response")) };
  }

  /** What auditors are to have, encrypted; `null` where there are none. It is made once, as each has a number of its own. */
  payloads(request: string): KeptPayloads | null {
    const texts = this.texts(request);
    return texts === null || this.#keep === null ? null : this.#keep(texts);
  }

  /**
   * What auditors are to have; `null` where there are none. What has no room beside what stands before it is left out.
   *
   * @param request the commitment that the call's entry has to its request
   */
  texts(request: string): CommittedTexts | null {
    if (this.#requests === null) return null;
    const { response, cedar, answers, upstream } = this;
    const texts: Partial<Record<CommittedField, string>> = {};
    let room = MAX_KEPT_TEXT;
    for (const [field, text] of [
      ["request", this.#requests.get(request) ?? null],
      ["response", response.text],
      ["cedar", cedar.text],
      ["answers", answers.text],
      ["upstream", upstream.text],
    ] as const) {
      if (text === null || text.length > room) continue;
      texts[field] = text;
      room -= text.length;
    }
    return texts;
  }
}
