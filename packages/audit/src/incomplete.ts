import * as z from "zod";
import { MAX_BUNDLE_ENTRIES } from "./bundle.ts";
import { auditEntrySchema } from "./entry.ts";
import { receiptSchema } from "./receipt.ts";

/**
 * What is left of a session whose instance died: entries and receipts under that instance's key, no claim
 * and no bundle signature, because the only key that could make them is gone.
 */
export const incompleteSessionSchema = z.strictObject({
  session_id: z.uuid(),
  incomplete: z.literal(true),
  signing_key: z.strictObject({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  }),
  entries: z.array(auditEntrySchema).min(1).max(MAX_BUNDLE_ENTRIES),
  receipts: z.array(receiptSchema).max(MAX_BUNDLE_ENTRIES),
});
/** What is left of a session whose instance died. */
export type IncompleteSession = z.infer<typeof incompleteSessionSchema>;
