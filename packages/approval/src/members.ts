import { fromBase64Url } from "@cmcp/boundary";
import * as z from "zod";

/** The one spelling of so many bytes in base64url: spare bits are zero. */
export function bytes(length: number): z.ZodString {
  return z
    .string()
    .length(Math.ceil((length * 4) / 3))
    .refine((text) => fromBase64Url(text)?.length === length, { error: `is not ${length} bytes in base64url` });
}

/** At most so many bytes in base64url, and at least one. */
export function bytesUpTo(length: number): z.ZodString {
  return z
    .string()
    .min(2)
    .max(Math.ceil((length * 4) / 3))
    .refine((text) => fromBase64Url(text) !== undefined, { error: "is not base64url" });
}

export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
/** Seconds since the epoch. */
export const seconds = z.int().nonnegative();
/** Name of an approver. Lists of names join them by commas. */
export const approverId = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
  error: "is 1 to 64 of a-z, 0-9, '.', '_', '-' and starts with a letter or digit",
});
