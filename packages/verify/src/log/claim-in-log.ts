import {
  epochOpening,
  epochText,
  operatorSigningInput,
  RECEIPT_V2,
  receiptLeaf,
  type AnyReceipt,
  type SignedLostStore,
} from "@cmcp/audit/schema";
import { CmcpError, toBase64, type ErrorCode } from "@cmcp/boundary";
import type { ClaimContext } from "../claim/context.ts";
import { verifyEd25519, type VerifierCrypto } from "../crypto.ts";
import { readHead } from "../receipt/log-place.ts";
import type { PlacedClaim } from "./claim-place.ts";
import { findLeaves, type FoundLeaves } from "./find-leaves.ts";
import { isSignedByInstance, thumbprintOf } from "./instance-key.ts";
import { ShownLog, type LogFiles } from "./shown-log.ts";
import { checkStoredSetsInLog } from "./stored-sets-in-log.ts";
import type { RestoredSet } from "../session/stored-sets.ts";
import type { LogStanding } from "../verdict.ts";
import { checkWitnessing, type Witnessing } from "./witnessing.ts";

/** Codes with which the log's files are refused. */
const FINDINGS: readonly ErrorCode[] = ["LOG_EXPORT_MALFORMED", "LOG_TREE_INVALID"];

/** What is held to a log beside the claim. */
export interface HeldToLog {
  readonly receipts: readonly AnyReceipt[];
  /** Where the claim is, if its evidence file says; the log is searched for it otherwise. */
  readonly placed: PlacedClaim | null;
  /** Sets that a storage key brought back, as the session's entries say. */
  readonly restored: readonly RestoredSet[];
}

/**
 * Holds a claim and receipts to a log, by its tiles alone: where each stands in the tree, and that the log had each
 * receipt's own head.
 */
export async function checkLog(
  context: ClaimContext,
  files: LogFiles,
  { receipts, placed, restored }: HeldToLog,
): Promise<LogStanding> {
  const { crypto, list, expected } = context;
  const log = new ShownLog(files, crypto);
  const { origin, size, root } = files.checkpoint;
  let witnessing: Witnessing = "UNWITNESSED";
  let lostStore: SignedLostStore | null = null;
  try {
    list.require("log root", await log.hasRoot(), "LOG_MISMATCH", {
      passed: `${size} records of ${origin}; the tiles have the root of the checkpoint`,
      failed: "the tiles have another root than the checkpoint names",
    });
    const found = await findLeaves(crypto, files, placed === null ? context.claim : null);
    await checkSigner(context, log, found);
    lostStore = await checkEpoch(context, origin, found);
    if (placed !== null) await checkHead(context, log, placed);
    await checkClaim(context, log, placed ?? found.claim);
    for (const receipt of receipts) await checkReceipt(context, log, receipt);
    await checkStoredSetsInLog(context, { log, files }, restored);
    witnessing = await checkWitnessing(crypto, log, expected, list);
  } catch (thrown) {
    if (!(thrown instanceof CmcpError) || !FINDINGS.includes(thrown.code)) throw thrown;
    list.fail("log files", thrown.code, thrown.message);
  }
  return { origin, size, root: toBase64(root), witnessing, lostStore };
}

/** @returns the statement that opened the epoch; `null` for the first, and for one that none opened */
async function checkEpoch(
  { crypto, list }: ClaimContext,
  origin: string,
  { handOver }: FoundLeaves,
): Promise<SignedLostStore | null> {
  const name = "log epoch";
  const { lostStore, isComplete = false } = handOver?.shown ?? {};
  const { problem, opened } = epochOpening(origin, { index: handOver?.index ?? 0, lostStore, isComplete });
  if (problem !== null) {
    const bodiless = handOver?.shown == null ? "; the newest hand-over has no body in this export" : "";
    list.fail(name, "LOG_MISMATCH", `${problem}${bodiless}`);
    return null;
  }
  const signed = opened === null || (await isSignedByItsKey(crypto, opened));
  list.require(name, signed, "SIGNATURE_INVALID", {
    passed: epochText(origin, opened),
    failed: "its key did not sign the statement that opened the epoch",
  });
  return signed ? opened : null;
}

async function isSignedByItsKey(
  crypto: VerifierCrypto,
  { key, signature, statement }: SignedLostStore,
): Promise<boolean> {
  return await verifyEd25519(crypto, key, signature, operatorSigningInput(statement));
}

async function checkSigner(
  { crypto, claim, list }: ClaimContext,
  log: ShownLog,
  { handOver }: FoundLeaves,
): Promise<void> {
  const name = "log checkpoint";
  const own = claim.trace.cnf.jwk;
  const isOwn = handOver?.instance === (await thumbprintOf(crypto, own));
  const jwk = isOwn ? own : (handOver?.shown?.jwk ?? null);
  if (handOver === null || jwk === null) {
    list.fail(name, "SIGNATURE_INVALID", "no hand-over in the log shows the key of the instance that wrote last");
    return;
  }
  const signed =
    (await log.holds(handOver.leaf, handOver.index)) && (await isSignedByInstance(crypto, log.tiles.note, jwk));
  list.require(name, signed, "SIGNATURE_INVALID", {
    passed: `signed by the instance that wrote last, ${isOwn ? "which is this one" : `${handOver.instance}, whose evidence is not looked at`}`,
    failed: "not signed by the instance that wrote last",
  });
}

async function checkHead({ list }: ClaimContext, log: ShownLog, { head }: PlacedClaim): Promise<void> {
  list.require("claim head", await log.continues(head), "LOG_MISMATCH", {
    passed: `the log continues the ${head.size} records that the evidence file's note is of`,
    failed:
      "the log does not continue the evidence file's note: another log, another history, or an export from before it",
  });
}

async function checkClaim(
  { list }: ClaimContext,
  log: ShownLog,
  claim: Pick<PlacedClaim, "leaf" | "index"> | null,
): Promise<void> {
  const holds = claim !== null && (await log.holds(claim.leaf, claim.index));
  list.require("claim in log", holds, "LOG_MISMATCH", {
    passed: `record ${claim?.index ?? 0}, its inclusion computed from the tiles`,
    failed: "no record of the log is this claim; an export from before the claim does not have it",
  });
}

async function checkReceipt({ list }: ClaimContext, log: ShownLog, receipt: AnyReceipt): Promise<void> {
  const name = `receipt ${receipt.sequence_number} in log`;
  if (receipt.v === RECEIPT_V2) {
    list.notPerformed(name, "a receipt of this version names no place in a log");
    return;
  }
  const head = readHead(receipt.log.note);
  const continues = head !== null && (await log.continues(head.checkpoint));
  list.require(`receipt ${receipt.sequence_number} head`, continues, "LOG_MISMATCH", {
    passed: `the log continues the ${head?.checkpoint.size ?? 0} records that the receipt's note is of`,
    failed: "the log does not continue the receipt's note: another log, another history, or an export from before it",
  });
  list.require(name, await log.holds(receiptLeaf(receipt), receipt.log.index), "LOG_MISMATCH", {
    passed: `record ${receipt.log.index}, its inclusion computed from the tiles`,
    failed: `record ${receipt.log.index} of the log is not this decision`,
  });
}
