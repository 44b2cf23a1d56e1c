/** Snapshots: what a start needs of the log before it, in records of the log itself. */
import * as z from "zod";
import { signedPolicyKeySchema } from "./policy-key.ts";

/** Most rows of one part. */
export const MAX_PART_ROWS = 1_000;
/** Longest text of one part in characters. */
export const MAX_PART_TEXT = 1_048_576;
/** Most parts of a snapshot. */
export const MAX_PARTS = 4_096;

const name = z.string().min(1).max(1024);
const label = z.string().max(4096);
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const thumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** Milliseconds since the epoch, by a clock the host sets. */
const time = z.number().nonnegative();

/** An open call as a snapshot holds it: the intent, by whom it was written, and how far its session has come since. */
const openCall = z.strictObject({
  instance: thumbprint,
  session_id: z.uuid(),
  call_id: z.string().min(1).max(256),
  intent: z.looseObject({}),
  tip: hex,
  length: z.int().positive(),
});

/** Most keys of one row. */
export const MAX_ROW_KEYS = 256;

/** One fact of a snapshot. */
export const snapshotRowSchema = z.discriminatedUnion("row", [
  z.strictObject({
    row: z.literal("principal"),
    principal: name,
    /** Every label named for it. */
    labels: z.array(label).max(4_096),
    untrusted: z.boolean(),
    /** When it was last named. */
    time,
  }),
  z.strictObject({ row: z.literal("call"), ...openCall.shape }),
  z.strictObject({ row: z.literal("token"), commitment: hex, principal: name }),
  z.strictObject({ row: z.literal("blocked"), principal: name }),
  z.strictObject({ row: z.literal("policy-key"), signed: signedPolicyKeySchema }),
  /** Reset, or unblocked, since the past was last unknown. */
  z.strictObject({ row: z.literal("reset"), principal: name }),
  z.strictObject({ row: z.literal("unblocked"), principal: name }),
  /** Idempotency keys of a principal's calls, by their digests, oldest first. */
  z.strictObject({
    row: z.literal("keys"),
    principal: name,
    /** A key that names fewer records than this may have been forgotten. */
    forgotten: z.int().nonnegative(),
    keys: z
      .array(
        z.strictObject({
          key: hex,
          /** Of the call's entry, or of its intent while it is open. */
          index: z.int().nonnegative(),
          open: z.literal(true).optional(),
        }),
      )
      .min(1)
      .max(MAX_ROW_KEYS),
  }),
  /** The same bound for every principal. */
  z.strictObject({ row: z.literal("forgotten-keys"), before: z.int().positive() }),
]);
/** One fact of a snapshot. */
export type SnapshotRow = z.infer<typeof snapshotRowSchema>;

/** A part of a snapshot. The parts stand together in the log, in order, and the snapshot's own record follows them. */
export const snapshotPartSchema = z.strictObject({
  /** Counts the parts from 0. */
  part: z.int().nonnegative().max(MAX_PARTS),
  rows: z.array(snapshotRowSchema).min(1).max(MAX_PART_ROWS),
});
/** A part of a snapshot. */
export type SnapshotPart = z.infer<typeof snapshotPartSchema>;

/** The record that completes a snapshot. */
export const snapshotSchema = z.strictObject({
  /** Records before the first part: what the snapshot is of. */
  at: z.int().nonnegative(),
  /** Hashes of the compact range of those, largest subtree first, hex. */
  range: z.array(hex).max(48),
  parts: z.int().nonnegative().max(MAX_PARTS),
  /** Hand-over of the instance that wrote the snapshot. */
  hand_over: z.looseObject({}),
  /** From this record on, leaves of the log are those of instances that were believed. */
  believed_from: z.int().nonnegative(),
  /** Sequence of the last provisioning. */
  provision: z.int().nonnegative(),
  /** Highest sequence of a provisioning statement; absent before the first. */
  statement_sequence: z.int().positive().optional(),
  /** Where the last provisioning is, if it has a stored set. */
  stored_set: z.int().nonnegative().optional(),
  /** When the past was last unknown; `null` if it never was. */
  unknown_since: time.nullable(),
  /** Latest time that a record names. */
  time_floor: time,
  /** Sealed identities of instances, latest first, base64url. */
  sealed_identities: z.array(z.string().max(10_923)).max(8),
});
/** The record that completes a snapshot. */
export type Snapshot = z.infer<typeof snapshotSchema>;
