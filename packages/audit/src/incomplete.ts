import * as z from "zod";
import { MAX_BUNDLE_ENTRIES } from "./bundle.ts";
import { auditEntrySchema } from "./entry.ts";
import { anyReceiptSchema } from "./receipt-v2.ts";

/**
 * What is left of a session whose instance died: its entries and the receipt of its last call, under a note of the instance that answers. There
 * is no claim and no bundle signature, because the only key that could make them is gone. An earlier form has a receipt for each call, under
 * the dead instance's key.
 */
export const incompleteSessionSchema = z.strictObject({
  session_id: z.uuid(),
  incomplete: z.literal(true),
  /** The key that signed the receipts' notes. */
  signing_key: z.strictObject({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  }),
  entries: z.array(auditEntrySchema).min(1).max(MAX_BUNDLE_ENTRIES),
  receipts: z.array(anyReceiptSchema).max(MAX_BUNDLE_ENTRIES),
});
/** What is left of a session whose instance died. */
export type IncompleteSession = z.infer<typeof incompleteSessionSchema>;
