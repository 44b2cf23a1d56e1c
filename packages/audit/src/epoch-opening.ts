/** The epoch of a log: the first, or one that an operator's statement opened after a lost store. */
import { epochOf, epochProblem, signedLostStoreSchema, type SignedLostStore } from "./lost-store.ts";

/** What a hand-over says of the epoch of its log. Its maker chooses all of it. */
export interface EpochFacts {
  /** Index of the hand-over. */
  readonly index: number;
  /** `lost_store` of the hand-over. */
  readonly lostStore: unknown;
  /** Whether its `history` is `complete`. */
  readonly isComplete: boolean;
}

/** How an epoch was opened, or why it was not. The signature is not looked at. */
export interface EpochOpening {
  readonly problem: string | null;
  /** `null` for the first epoch, and where there is a problem. */
  readonly opened: SignedLostStore | null;
}

/** Holds what a hand-over says to the epoch that the log's origin names. */
export function epochOpening(origin: string, { index, lostStore, isComplete }: EpochFacts): EpochOpening {
  const parsed = lostStore === undefined ? null : signedLostStoreSchema.safeParse(lostStore);
  if (parsed?.success === false) return refused("the statement of the lost store has another form");
  const opened = parsed?.data ?? null;
  const problem = epochProblem(origin, opened?.statement ?? null);
  if (problem !== null) return refused(problem);
  if (opened !== null && index === 0 && isComplete)
    return refused("the epoch follows a lost store, and its first hand-over says that nothing is missing");
  return { problem: null, opened };
}

function refused(problem: string): EpochOpening {
  return { problem, opened: null };
}

/** How a log came to its epoch, for a reader. */
export function epochText(origin: string, opened: SignedLostStore | null): string {
  if (opened === null) return `epoch ${epochOf(origin) ?? "unknown"}, the first of its name`;
  const { origin: lost, last, reason } = opened.statement;
  const known = last === "unknown" ? "its last size is unknown" : `it had ${last.size} records, root ${last.root}`;
  return (
    `epoch ${epochOf(origin) ?? "unknown"}, opened after ${lost} was lost: ${known}. Signed by ${opened.key}, and ` +
    `whether this is an operator is for you to know. Reason: ${printable(reason)}`
  );
}

/** Text of somebody else's as one line without control and format characters, in quotes. */
function printable(text: string): string {
  return JSON.stringify(text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?"));
}
