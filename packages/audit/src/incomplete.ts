import * as z from "zod";
import { MAX_BUNDLE_ENTRIES } from "./bundle.ts";
import { auditEntrySchema } from "./entry.ts";
import { provenHandOverSchema, signingJwkSchema } from "./hand-over.ts";
import { anyReceiptSchema } from "./receipt-v2.ts";

/**
 * What is left of a session whose instance died: its entries, the hand-over of that instance and the receipt of its
 * last call, each under a note of the instance that answers. There is no claim and no bundle signature, because the
 * only key that could make them is gone.
 */
export const incompleteSessionSchema = z.strictObject({
  session_id: z.uuid(),
  incomplete: z.literal(true),
  /** The key of the instance that answers. Where there is no hand-over, its own session is the one that was interrupted. */
  signing_key: signingJwkSchema,
  /** Of the instance that wrote the session: its key is proven by the log of the one that answers. Exports of an earlier form have none. */
  hand_over: provenHandOverSchema.optional(),
  entries: z.array(auditEntrySchema).min(1).max(MAX_BUNDLE_ENTRIES),
  receipts: z.array(anyReceiptSchema).max(MAX_BUNDLE_ENTRIES),
});
/** What is left of a session whose instance died. */
export type IncompleteSession = z.infer<typeof incompleteSessionSchema>;
