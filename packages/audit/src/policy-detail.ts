import * as z from "zod";
import { MAX_ENTRY_TEXT } from "./entry.ts";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** Members of a `session_start` detail that name the policy bundle the session begins under. */
export const policyDetailSchema = z.looseObject({
  policy_hash: digest,
  policy_version: z.string().max(MAX_ENTRY_TEXT).optional(),
});

/**
 * Members of a `policy_load` detail: from the next decision on, this bundle is in force in place of the previous one.
 */
export const policyLoadDetailSchema = z.looseObject({
  policy_hash: digest,
  policy_version: z.string().max(MAX_ENTRY_TEXT),
  previous_policy_hash: digest,
});
