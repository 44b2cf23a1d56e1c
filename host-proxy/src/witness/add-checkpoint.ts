/** One request of the C2SP tlog-witness protocol: a checkpoint for a witness to cosign. What it answers is anything. */
import { isLogSize, parseSignatures, type NoteSignature } from "@cmcp/log";
import { toBase64 } from "@cmcp/boundary";

/** Most bytes of an answer: a few signature lines, of which a post-quantum one has more than 3 kB. */
export const MAX_WITNESS_ANSWER_BYTES = 32 * 1024;

/** Most hashes of a consistency proof in a request (C2SP tlog-witness, "add-checkpoint"). */
const MAX_PROOF_LINES = 63;

/** A checkpoint, and the proof that it continues what the witness has. */
export interface Submission {
  /** Size of the checkpoint that the witness cosigned last, or 0. */
  readonly old: number;
  /** Consistency proof from there; empty from 0. */
  readonly proof: readonly Uint8Array[];
  /** The signed note. */
  readonly note: string;
}

/** Why a witness refuses a checkpoint, by the status of its answer. */
export type Refusal = "request-malformed" | "log-key-refused" | "log-unknown" | "inconsistent";

/** Why there is no answer that says something. */
export type Failure = "unreachable" | "too-slow" | "answer-too-large" | "answer-malformed" | "status-unexpected";

/** What a witness answers. Signatures are unverified, and a size may be made up. */
export type WitnessAnswer =
  | { readonly kind: "signatures"; readonly signatures: readonly NoteSignature[] }
  | { readonly kind: "stale"; readonly size: number }
  | { readonly kind: "refused"; readonly reason: Refusal }
  | { readonly kind: "failed"; readonly reason: Failure };

const REFUSALS: Readonly<Record<number, Refusal>> = {
  400: "request-malformed",
  403: "log-key-refused",
  404: "log-unknown",
  422: "inconsistent",
};

/** Writes a request's body. */
export function formatSubmission({ old, proof, note }: Submission): string {
  if (proof.length > MAX_PROOF_LINES) throw new RangeError("a consistency proof has at most 63 hashes");
  return `old ${old}\n${proof.map((hash) => `${toBase64(hash)}\n`).join("")}\n${note}`;
}

/**
 * Submits a checkpoint.
 *
 * @param url the witness's submission prefix, with a slash at its end
 * @param signal ends the request; it then counts as too slow
 * @returns never rejects for what the witness or the network does
 */
export async function addCheckpoint(url: URL, submission: Submission, signal: AbortSignal): Promise<WitnessAnswer> {
  try {
    const body = formatSubmission(submission);
    const headers = { "content-type": "text/plain; charset=utf-8" };
    // A redirect is an answer like any other, and none that the protocol has.
    const response = await fetch(new URL("add-checkpoint", url), {
      method: "POST",
      body,
      headers,
      redirect: "manual",
      signal,
    });
    const bytes = await boundedBody(response);
    return bytes === undefined ? failed("answer-too-large") : read(response, bytes);
  } catch {
    return failed(signal.aborted ? "too-slow" : "unreachable");
  }
}

function failed(reason: Failure): WitnessAnswer {
  return { kind: "failed", reason };
}

/** The whole body; `undefined` if it has more than {@link MAX_WITNESS_ANSWER_BYTES}, the rest of which is not read. */
async function boundedBody(response: Response): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_WITNESS_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function read(response: Response, bytes: Uint8Array): WitnessAnswer {
  const refusal = REFUSALS[response.status];
  if (refusal !== undefined) return { kind: "refused", reason: refusal };
  if (response.status !== 200 && response.status !== 409) return failed("status-unexpected");
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (response.status === 200) return { kind: "signatures", signatures: parseSignatures(text) };
    const size = response.headers.get("content-type") === "text/x.tlog.size" ? sizeOf(text) : undefined;
    return size === undefined ? failed("answer-malformed") : { kind: "stale", size };
  } catch {
    return failed("answer-malformed");
  }
}

function sizeOf(text: string): number | undefined {
  const size = /^(?:0|[1-9][0-9]{0,14})\n$/.test(text) ? Number(text) : Number.NaN;
  return isLogSize(size) ? size : undefined;
}
