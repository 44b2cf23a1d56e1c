import type { CheckRecorder, VerifierCrypto } from "@cmcp/appraise";
import { CmcpError, toBase64Url } from "@cmcp/boundary";
import {
  cosignaturesBy,
  cosignedMessage,
  parseCheckpoint,
  parseNote,
  quorumsIntersect,
  quorumTime,
  signaturesBy,
  type Checkpoint,
  type Note,
  type VerifierKey,
  type WitnessPolicy,
} from "@cmcp/log/format";
import { verifyEd25519 } from "../crypto.ts";
import type { ShownLog } from "./shown-log.ts";

/** What a verifier has of its own to hold a log's checkpoint to. */
export interface HeadExpectations {
  /** Whose cosignatures it takes. Ids of its keys are held to their names. */
  readonly witnessPolicy?: WitnessPolicy;
  /** Notes of checkpoints that the verifier kept from before. */
  readonly earlierCheckpoints?: readonly Uint8Array[];
}

/**
 * What shows that others are shown the same log. `WITNESSED`: a quorum of the verifier's choice cosigned the checkpoint.
 * `CONSISTENT`: it continues a checkpoint that the verifier kept, and others may have been shown another log.
 * `UNWITNESSED`: nothing.
 */
export type Witnessing = "UNWITNESSED" | "CONSISTENT" | "WITNESSED";

/** Holds the checkpoint of a log to what the verifier has; each finding is a check. @throws as the log's files */
export async function checkWitnessing(
  crypto: VerifierCrypto,
  log: ShownLog,
  { witnessPolicy, earlierCheckpoints = [] }: HeadExpectations,
  list: CheckRecorder,
): Promise<Witnessing> {
  let continued = 0;
  for (const bytes of earlierCheckpoints) if (await checkEarlier(log, bytes, list)) continued += 1;
  if (earlierCheckpoints.length === 0)
    list.notPerformed("earlier checkpoint", "none was given (--earlier-checkpoint): the log may have been rewritten");
  const witnessed = witnessPolicy !== undefined && (await checkPolicy(crypto, log, witnessPolicy, list));
  if (witnessPolicy === undefined)
    list.notPerformed("witnesses", "no policy was given (--witness-policy): others may be shown another log");
  if (witnessed) return "WITNESSED";
  return continued > 0 && continued === earlierCheckpoints.length ? "CONSISTENT" : "UNWITNESSED";
}

async function checkEarlier(log: ShownLog, bytes: Uint8Array, list: CheckRecorder): Promise<boolean> {
  const earlier = list.attempt("earlier checkpoint form", "NOTE_MALFORMED", "a checkpoint", () => readNoteOf(bytes));
  if (earlier === null) return false;
  return list.require("earlier checkpoint", await log.continues(earlier.checkpoint), "LOG_MISMATCH", {
    passed: `the log has the ${earlier.checkpoint.size} records that it had then, computed from its tiles`,
    failed: "the log does not continue it: it is of another log, of another history, or newer",
  });
}

/** Reads a note and the checkpoint in it. @throws CmcpError `NOTE_MALFORMED` */
export function readNoteOf(bytes: Uint8Array): { readonly note: Note; readonly checkpoint: Checkpoint } {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (thrown) {
    throw new CmcpError("NOTE_MALFORMED", "not a signed note: it is not UTF-8", { cause: thrown });
  }
  const note = parseNote(text);
  return { note, checkpoint: parseCheckpoint(note.text) };
}

async function checkPolicy(
  crypto: VerifierCrypto,
  { tiles }: ShownLog,
  { logs, witnesses, quorum }: WitnessPolicy,
  list: CheckRecorder,
): Promise<boolean> {
  const { note, checkpoint } = tiles;
  if (logs.length > 0) {
    let signed = false;
    for (const { key } of logs) signed ||= key.name === checkpoint.origin && (await isSignedBy(crypto, note, key));
    list.require("log key", signed, "LOG_NOT_WITNESSED", {
      passed: "a log's key of the policy signed the checkpoint",
      failed: "no log's key of the policy signed the checkpoint",
    });
    if (!signed) return false;
  }
  const times = new Map<string, number>();
  for (const { name, key } of witnesses) {
    const time = await cosignedAt(crypto, note, key);
    if (time !== undefined) times.set(name, time);
  }
  const time = quorumTime(quorum, times);
  if (quorum.kind === "none") {
    list.notPerformed("witnesses", "the policy's quorum is none: it asks nobody");
    return false;
  }
  const met = list.require("witnesses", time !== undefined, "LOG_NOT_WITNESSED", {
    passed: `${times.size} cosigned the checkpoint, a quorum of them at ${new Date((time ?? 0) * 1000).toISOString()} or later`,
    failed: `${times.size} of the policy's witnesses cosigned the checkpoint, which is no quorum`,
  });
  if (met && !quorumsIntersect(quorum))
    list.notPerformed(
      "one history",
      "two sets of witnesses without a common member meet this quorum: each may have seen another history",
    );
  return met;
}

/** Whether an Ed25519 key signed a note (C2SP signed-note): a line is of the key, and each such line verifies. */
export async function isSignedBy(crypto: VerifierCrypto, note: Note, key: VerifierKey): Promise<boolean> {
  const signatures = signaturesBy(note, key);
  const text = new TextEncoder().encode(note.text);
  for (const signature of signatures) if (!(await isOf(crypto, key, signature, text))) return false;
  return signatures.length > 0;
}

/** When a witness cosigned a note, in seconds since 1970: the latest time, where each of its lines verifies. */
async function cosignedAt(crypto: VerifierCrypto, note: Note, key: VerifierKey): Promise<number | undefined> {
  const cosignatures = cosignaturesBy(note, key);
  for (const { time, signature } of cosignatures)
    if (!(await isOf(crypto, key, signature, cosignedMessage(note.text, time)))) return undefined;
  return cosignatures.length === 0 ? undefined : Math.max(...cosignatures.map(({ time }) => time));
}

async function isOf(
  crypto: VerifierCrypto,
  { publicKey }: VerifierKey,
  signature: Uint8Array,
  message: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  return await verifyEd25519(crypto, toBase64Url(publicKey), toBase64Url(signature), message);
}
