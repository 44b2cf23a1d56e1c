/** A log with a session in it, judged against a record as a verifier does. */
import { webcrypto } from "node:crypto";
import { canonicalBytes } from "@cmcp/boundary";
import type { Expectations } from "../expectations.ts";
import { EXPECTED, type SessionRecord } from "./session.ts";
import { WrittenLog } from "./written-log.ts";
import type { Verdict } from "../verdict.ts";
import { verifyClaim } from "../verify-claim.ts";
import type { LogFiles } from "../log/shown-log.ts";

/** A log of three dozen sessions, one of them known, and the notes that a verifier may hold of it. */
export interface LoggedSession {
  readonly log: WrittenLog;
  readonly session: SessionRecord;
  /** Notes of the log while the session ran and when it had closed. */
  readonly notes: readonly string[];
}

/** Writes such a log. */
export async function loggedSession(): Promise<LoggedSession> {
  const log = new WrittenLog();
  await log.begin();
  for (let at = 0; at < 34; at += 1) await log.session();
  const session = await log.session();
  const notes = [session.receipts[0]?.log.note ?? "", log.note];
  await log.session();
  return { log, session, notes };
}

/** A record, the log it is looked for in, and what the verifier expects beyond the usual. */
export interface Question {
  readonly record: Pick<SessionRecord, "claim" | "receipts">;
  readonly files: LogFiles;
  readonly expected?: Partial<Expectations>;
}

/** The verdict on a record and a log. */
export async function judge({ record, files, expected = {} }: Question): Promise<Verdict> {
  return await verifyClaim(
    {
      claim: canonicalBytes(record.claim),
      receipts: record.receipts.map((receipt) => canonicalBytes(receipt)),
      log: files,
    },
    { ...EXPECTED, ...expected },
    webcrypto,
  );
}
