import * as z from "zod";

/**
 * Why the past of a gateway cannot be relied on. `lost-store`: the log begins, and follows an epoch whose store an
 * operator says is lost. `no-snapshot`: the log has records, and no snapshot fits them.
 * `missing-body`: a record of the log has no body, or another than it commits to. `unbelieved`: an instance that wrote
 * since the snapshot is not one that the launch document lets believe. The others are of records of an earlier form:
 * `gap`, `refused`, `unreadable`, `too-many-instances`, `missing-instance`.
 */
export const HISTORY_REASONS = [
  "lost-store",
  "no-snapshot",
  "missing-body",
  "unbelieved",
  "gap",
  "refused",
  "unreadable",
  "too-many-instances",
  "missing-instance",
] as const;

/** One of {@link HISTORY_REASONS}. */
export type HistoryReason = (typeof HISTORY_REASONS)[number];

/**
 * What a start found of the log before it. `complete` says that nothing contradicts itself: an end that the host
 * withholds is not seen.
 */
export const historySchema = z.discriminatedUnion("state", [
  z.strictObject({ state: z.literal("complete") }),
  z.strictObject({ state: z.literal("incomplete"), reason: z.enum(HISTORY_REASONS) }),
]);
/** What a start found of the log before it. */
export type History = z.infer<typeof historySchema>;
