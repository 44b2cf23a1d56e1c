import { CheckRecorder, type Check } from "@cmcp/appraise";
import { jwkThumbprintText } from "@cmcp/attestation";
import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { epochText, type SignedLostStore, type SigningJwk } from "@cmcp/audit";
import { CmcpError, toBase64, type ErrorCode } from "@cmcp/boundary";
import { checkLog, type CheckedLog, type ReadableLog } from "@cmcp/host-proxy/store";
import {
  checkWitnessing,
  isSignedByInstance,
  ShownLog,
  type HeadExpectations,
  type LogTiles,
  type Outcome,
  type Witnessing,
} from "@cmcp/verify";
import { RecordFold, type RecordSubject } from "./record-fold.ts";

/** What a log is held to. */
export interface LogExpectations extends HeadExpectations {
  /** Name of the log. */
  readonly origin?: string;
  /** The key that must have signed the checkpoint, base64url of 32 bytes. */
  readonly trustedKey?: string;
}

/** A log as it can be checked: all of it, and its tiles. */
export type WholeLog = ReadableLog & LogTiles;

/** What was found of a log. */
export interface LogVerdict {
  readonly outcome: Exclude<Outcome, "unsupported">;
  /** `trusted key`: the checkpoint is signed with the pinned key. `not proven`: anybody could have made the log. */
  readonly origin: "trusted key" | "not proven";
  readonly log: {
    readonly origin: string;
    readonly size: number;
    readonly root: string;
    /** The operator's statement that opened the log's epoch; `null` for the first one. */
    readonly lostStore: SignedLostStore | null;
  };
  readonly witnessing: Witnessing;
  /** Base64url of the key that signed the checkpoint, where it did. */
  readonly signingKey: string | null;
  /** Records without their bodies. */
  readonly withoutBodies: number;
  readonly checks: readonly Check[];
}

/** Codes of what is no log, rather than a wrong one. */
const MALFORMED: readonly ErrorCode[] = ["LOG_EXPORT_MALFORMED", "NOTE_MALFORMED"];

/** Codes of what a log's files or store hold, which a check reports. Whatever else is thrown stops the command. */
const FINDINGS: readonly ErrorCode[] = [
  ...MALFORMED,
  "AUDIT_STORE_DAMAGED",
  "AUDIT_STORE_MISMATCH",
  "LOG_TREE_INVALID",
];

/** What is said of each subject of the records where nothing is wrong. */
const PASSED = {
  records: (fold) => `${fold.count("entry")} entries, ${fold.count("claim")} claims; each body is its leaf's`,
  "hand-overs": (fold) => `${fold.count("hand-over")}, each continues the head before it, and writes alone after it`,
  epoch: (fold, origin) => epochText(origin, fold.lostStore),
  "session chains": (fold) =>
    `each entry links to the one before; ${fold.interrupted} sessions were left open by their instances`,
  provisionings: (fold) =>
    `${fold.count("provision")}, of which a storage key brought ${fold.restored} back, each the set of the one before`,
} as const satisfies Record<RecordSubject, (fold: RecordFold, origin: string) => string>;

/**
 * Derives everything of a log again from its records: leaf hashes, tiles, root, hand-overs, the chain of each session, and
 * whose key signed the checkpoint. What is held in memory grows with the number of open sessions.
 * @throws what reading throws that is no finding
 */
export async function checkWholeLog(log: WholeLog, expected: LogExpectations): Promise<LogVerdict> {
  const list = new CheckRecorder();
  const { origin, size, root } = log.checkpoint;
  if (expected.origin !== undefined)
    list.require("origin", origin === expected.origin, "LOG_MISMATCH", {
      passed: "the log that was asked for",
      failed: `the log ${origin}, not ${expected.origin}`,
    });
  const derived = await finding(list, "tree", async () => checkTree(log, list));
  const fold = new RecordFold(origin);
  const read = await finding(list, "records", async () => {
    for await (const piece of log.scan({ to: size })) for (const record of piece) fold.add(record);
    return true;
  });
  for (const subject of ["records", "hand-overs", "epoch", "session chains", "provisionings"] as const) {
    const problem = fold.problem(subject);
    if (problem !== undefined) list.fail(subject, "LOG_MISMATCH", problem);
    else if (read === true)
      list.require(subject, true, "LOG_MISMATCH", { passed: PASSED[subject](fold, origin), failed: "" });
  }
  const signingKey = read === true ? await checkSignature(log, fold, expected, list) : null;
  const witnessing =
    (await finding(list, "tiles", async () =>
      checkWitnessing(nodeCrypto, new ShownLog(log, nodeCrypto), expected, list),
    )) ?? "UNWITNESSED";
  if (fold.withoutBodies > 0)
    list.notPerformed(
      "bodies",
      `${fold.withoutBodies} records are without: what they say is not known, only their hashes`,
    );
  list.notPerformed("evidence", "what the platforms' evidence in the hand-overs is worth is not looked at");
  const outcome = outcomeOf(list);
  const accepted = outcome === "accepted" && derived !== undefined;
  return {
    outcome,
    origin: accepted && expected.trustedKey !== undefined ? "trusted key" : "not proven",
    log: { origin, size, root: toBase64(root), lostStore: accepted ? fold.lostStore : null },
    witnessing: accepted ? witnessing : "UNWITNESSED",
    signingKey: signingKey?.x ?? null,
    withoutBodies: fold.withoutBodies,
    checks: list.checks,
  };
}

async function checkTree(log: WholeLog, list: CheckRecorder): Promise<CheckedLog | null> {
  const checked = await checkLog(log);
  list.require("tree", checked !== null, "LOG_MISMATCH", {
    passed: `${checked?.size ?? 0} leaves, each hash tile derived again`,
    failed: "the log is empty",
  });
  if (checked !== null)
    list.require("checkpoint", checked.noted, "LOG_MISMATCH", {
      passed: "names the size and the root that the records have",
      failed: "names another size or root than the records have",
    });
  return checked;
}

/** @returns the key that signed the checkpoint: that of the instance which wrote last */
async function checkSignature(
  { note }: WholeLog,
  fold: RecordFold,
  { trustedKey }: LogExpectations,
  list: CheckRecorder,
): Promise<SigningJwk | null> {
  const { instance } = fold;
  const name = "checkpoint signature";
  const pinned = trustedKey === undefined ? null : ({ kty: "OKP", crv: "Ed25519", x: trustedKey } as const);
  // Where no body shows the key, each leaf has its thumbprint.
  const key = fold.key ?? (pinned !== null && jwkThumbprintText(pinned) === instance ? pinned : null);
  if (trustedKey === undefined)
    list.notPerformed("trusted key", "no key was pinned (--trusted-key): anybody could have made this log");
  else
    list.require("trusted key", trustedKey === key?.x, "SIGNATURE_INVALID", {
      passed: "the instance that wrote last has the pinned key",
      failed: "the instance that wrote last has another key than the pinned one, or none is shown",
    });
  if (key === null) {
    list.fail(
      name,
      "SIGNATURE_INVALID",
      `no hand-over shows the key of the instance that wrote last (${instance ?? "none"})`,
    );
    return null;
  }
  const signed = list.require(name, await isSignedByInstance(nodeCrypto, note, key), "SIGNATURE_INVALID", {
    passed: `signed by the instance that wrote last, ${instance}`,
    failed: `not signed by the instance that wrote last, ${instance}`,
  });
  return signed ? key : null;
}

/** Runs a part of the check. What it throws of the log becomes a failed check, and the result `undefined`. */
async function finding<T>(list: CheckRecorder, name: string, check: () => Promise<T>): Promise<T | undefined> {
  try {
    return await check();
  } catch (thrown) {
    if (!(thrown instanceof CmcpError) || !FINDINGS.includes(thrown.code)) throw thrown;
    list.fail(name, thrown.code, thrown.message);
    return undefined;
  }
}

function outcomeOf({ checks }: CheckRecorder): LogVerdict["outcome"] {
  const codes = checks.flatMap(({ status, code }) => (status === "failed" && code !== undefined ? [code] : []));
  if (codes.some((code) => MALFORMED.includes(code))) return "malformed";
  return codes.length > 0 ? "rejected" : "accepted";
}
