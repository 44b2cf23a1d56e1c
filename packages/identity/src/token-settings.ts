import * as z from "zod";
import { CLAIM_KINDS } from "./jwt/project.ts";
import { MAX_PROJECTED, MAX_SCOPES, MAX_SUBJECT } from "./limits.ts";
import { principalName, workflowName } from "./names.ts";

/** A text of a token. */
export const text = z.string().min(1).max(512);
/** Workflows that a token may name. */
export const workflows = z.array(workflowName).min(1).max(256);
export const areDistinct = (texts: readonly string[]): boolean => new Set(texts).size === texts.length;

/** One subject, and the principal that it stands for. */
export const subjectSchema = z.strictObject({
  subject: z.string().min(1).max(MAX_SUBJECT).describe("The token's `sub`, exactly."),
  principal: principalName.describe("The principal it stands for; must be in enclave.principals."),
  workflows: workflows
    .nullish()
    .describe(
      "Of the principal's workflows, only these; all when absent, and `validate-config` warns if there are several.",
    ),
});

/** A scope (RFC 6749 section 3.3). */
export const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, { error: "must be a scope of RFC 6749" });

const scopeWorkflowsSchema = z
  .record(scope, workflows)
  .refine((scopes) => Object.keys(scopes).length > 0, { error: "must name a scope" })
  .refine((scopes) => Object.keys(scopes).length <= MAX_SCOPES, { error: `at most ${MAX_SCOPES} scopes` })
  .nullish()
  .describe(
    "Workflows that each scope of a token gives. Of the workflows that its subject may use, a token then has those of " +
      "its scopes and no others. One that has none of these scopes is refused.",
  );

const claimSchema = z.strictObject({
  claim: text.describe("Name of the claim in the token, at its top level."),
  kind: z
    .enum(CLAIM_KINDS)
    .describe(
      "`text`, `integer`, `boolean`, `texts` (an array of texts), `words` (a text with spaces between, as " +
        "`scope` has it).",
    ),
});

/** What tokens are held to, whoever issues them. */
export const tokenMembers = {
  audience: z
    .array(text)
    .min(1)
    .max(8)
    .describe("The token's `aud` must name one of these: this gateway, nothing else."),
  clock_skew_seconds: z.int().min(0).max(300).default(60).describe("Seconds by which the issuer's clock may differ."),
  scope_workflows: scopeWorkflowsSchema,
  claims: z
    .record(
      z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,47}$/, { error: "must be 1 to 48 of a-z, 0-9 and _, and begin with a letter" }),
      claimSchema,
    )
    .refine((claims) => Object.keys(claims).length <= MAX_PROJECTED, { error: `at most ${MAX_PROJECTED} claims` })
    .default({})
    .describe("Claims that policies may read, by the name they read them under."),
};
