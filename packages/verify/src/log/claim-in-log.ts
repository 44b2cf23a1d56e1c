import { RECEIPT_V2, receiptLeaf, type AnyReceipt } from "@cmcp/audit/schema";
import { CmcpError, toBase64, type ErrorCode } from "@cmcp/boundary";
import type { ClaimContext } from "../claim/context.ts";
import { readHead } from "../receipt/log-place.ts";
import { findLeaves, type FoundLeaves } from "./find-leaves.ts";
import { isSignedByInstance, thumbprintOf } from "./instance-key.ts";
import { ShownLog, type LogFiles } from "./shown-log.ts";
import type { LogStanding } from "../verdict.ts";
import { checkWitnessing, type Witnessing } from "./witnessing.ts";

/** Codes with which the log's files are refused. */
const FINDINGS: readonly ErrorCode[] = ["LOG_EXPORT_MALFORMED", "LOG_TREE_INVALID"];

/**
 * Holds a claim and receipts to a log: where each stands in the tree, and that each receipt's own head is one that the
 * log had, all computed from the tiles.
 */
export async function checkLog(
  context: ClaimContext,
  files: LogFiles,
  receipts: readonly AnyReceipt[],
): Promise<LogStanding> {
  const { crypto, list, expected } = context;
  const log = new ShownLog(files, crypto);
  const { origin, size, root } = files.checkpoint;
  let witnessing: Witnessing = "UNWITNESSED";
  try {
    list.require("log root", await log.hasRoot(), "LOG_MISMATCH", {
      passed: `${size} records of ${origin}; the tiles have the root of the checkpoint`,
      failed: "the tiles have another root than the checkpoint names",
    });
    const found = await findLeaves(crypto, files, context.claim);
    await checkSigner(context, log, found);
    await checkClaim(context, log, found);
    for (const receipt of receipts) await checkReceipt(context, log, receipt);
    witnessing = await checkWitnessing(crypto, log, expected, list);
  } catch (thrown) {
    if (!(thrown instanceof CmcpError) || !FINDINGS.includes(thrown.code)) throw thrown;
    list.fail("log files", thrown.code, thrown.message);
  }
  return { origin, size, root: toBase64(root), witnessing };
}

async function checkSigner(
  { crypto, claim, list }: ClaimContext,
  log: ShownLog,
  { handOver }: FoundLeaves,
): Promise<void> {
  const name = "log checkpoint";
  const own = claim.trace.cnf.jwk;
  const isOwn = handOver?.instance === (await thumbprintOf(crypto, own));
  const jwk = isOwn ? own : (handOver?.jwk ?? null);
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

async function checkClaim(
  { list }: ClaimContext,
  log: ShownLog,
  { claim, claimsWithoutBodies }: FoundLeaves,
): Promise<void> {
  const holds = claim !== null && (await log.holds(claim.leaf, claim.index));
  list.require("claim in log", holds, "LOG_MISMATCH", {
    passed: `record ${claim?.index ?? 0}, its inclusion computed from the tiles`,
    failed:
      claimsWithoutBodies === 0
        ? "no record of the log is this claim; an export from before the claim does not have it"
        : `no record of the log is this claim; ${claimsWithoutBodies} claims are without their bodies`,
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
