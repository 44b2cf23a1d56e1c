import * as z from "zod";

/**
 * Why the past of a gateway cannot be relied on. `gap`: numbers are missing in an instance's journal. `refused`: it
 * holds a record that does not verify or does not fit. `unreadable`: an instance's journal cannot be read.
 * `too-many-instances`: there are more than are read. `missing-instance`: an instance names one before it that the
 * store does not show.
 */
export const HISTORY_REASONS = ["gap", "refused", "unreadable", "too-many-instances", "missing-instance"] as const;

/** One of {@link HISTORY_REASONS}. */
export type HistoryReason = (typeof HISTORY_REASONS)[number];

/**
 * What a start found of the instances before it. `complete` says that nothing contradicts itself: an end that the host
 * withholds is not seen.
 */
export const historySchema = z.discriminatedUnion("state", [
  z.strictObject({ state: z.literal("complete") }),
  z.strictObject({ state: z.literal("incomplete"), reason: z.enum(HISTORY_REASONS) }),
]);
/** What a start found of the instances before it. */
export type History = z.infer<typeof historySchema>;
