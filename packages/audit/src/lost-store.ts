import * as z from "zod";
import { signatureMembers, statementMembers } from "./operator-statement.ts";

/** A log's name and its epoch. The configuration takes no other form. */
const ORIGIN = /^([A-Za-z0-9][A-Za-z0-9._/-]*)\/(0|[1-9][0-9]{0,8})$/;
const origin = z.string().max(200).regex(ORIGIN);

/**
 * What an operator says: the store of this log is lost, or short of what witnesses cosigned, or its witnesses are out of reach. The
 * next epoch of the log's name may begin, and no principal begins it below the highest label. It names no instance and no sequence: it
 * counts for one epoch only.
 */
export const lostStoreStatementSchema = z.strictObject({
  v: statementMembers.v,
  purpose: z.literal("lost-store"),
  /** The log that cannot go on. */
  origin,
  /** The newest head of it that the operator knows of. */
  last: z.union([
    z.literal("unknown"),
    z.strictObject({
      size: z.int().positive(),
      /** Root hash, hex. */
      root: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ]),
  reason: statementMembers.reason,
});
/** What an operator signs to open the next epoch of a log. */
export type LostStoreStatement = z.infer<typeof lostStoreStatementSchema>;

/** Such a statement as the launch document and each hand-over of the epoch have it. */
export const signedLostStoreSchema = z.strictObject({ statement: lostStoreStatementSchema, ...signatureMembers });
/** Such a statement with the key and signature of the operator. */
export type SignedLostStore = z.infer<typeof signedLostStoreSchema>;

/** The epoch that an origin names, counted from 0; `null` for a text that is no gateway's origin. */
export function epochOf(text: string): number | null {
  const epoch = ORIGIN.exec(text)?.[2];
  return epoch === undefined ? null : Number(epoch);
}

/** The origin of the epoch after another; `null` where there is none. */
export function nextEpoch(text: string): string | null {
  const [, name, epoch] = ORIGIN.exec(text) ?? [];
  const next = `${name}/${Number(epoch) + 1}`;
  return name !== undefined && origin.safeParse(next).success ? next : null;
}

/**
 * Why a log may not have its epoch: the first one follows none, and each other follows the one before by an operator's
 * statement. Signatures are not looked at.
 * @returns `null` where it may
 */
export function epochProblem(of: string, statement: LostStoreStatement | null): string | null {
  const epoch = epochOf(of);
  if (epoch === null) return "the origin names no epoch";
  if (epoch === 0) return statement === null ? null : "epoch 0 is the first, and follows no lost store";
  if (statement === null) return `epoch ${epoch} needs an operator's statement that the store before it is lost`;
  return nextEpoch(statement.origin) === of
    ? null
    : `the statement is of ${statement.origin}, and ${of} is not the epoch after it`;
}
