import * as z from "zod";
import { trustDomain } from "./host/spiffe.ts";
import { ALGORITHMS, algorithmsOf } from "./jwt/algorithms.ts";
import { jwkSchema } from "./jwt/jwk.ts";
import { CLAIM_KINDS } from "./jwt/project.ts";
import { MAX_ISSUERS, MAX_KEYS, MAX_PROJECTED, MAX_SUBJECT } from "./limits.ts";
import { principalName, workflowName } from "./names.ts";
import { isResource } from "./resource/identifier.ts";

const text = z.string().min(1).max(512);
const workflows = z.array(workflowName).min(1).max(256);
const areDistinct = (texts: readonly string[]): boolean => new Set(texts).size === texts.length;

const subjectSchema = z.strictObject({
  subject: z.string().min(1).max(MAX_SUBJECT).describe("The token's `sub`, exactly."),
  principal: principalName.describe("The principal it stands for; must be in enclave.principals."),
  workflows: workflows
    .nullish()
    .describe(
      "Of the principal's workflows, only these; all when absent, and `validate-config` warns if there are several.",
    ),
});

const anySubjectSchema = z.strictObject({
  prefix: principalName
    .max(64)
    .describe("The principal is this and the token's `sub`. No other principal may begin with it."),
  workflows: workflows.default(["default"]).describe("Workflows such a principal may name."),
});

const claimSchema = z.strictObject({
  claim: text.describe("Name of the claim in the token, at its top level."),
  kind: z
    .enum(CLAIM_KINDS)
    .describe(
      "`text`, `integer`, `boolean`, `texts` (an array of texts), `words` (a text with spaces between, as " +
        "`scope` has it).",
    ),
});

const issuerSchema = z
  .strictObject({
    issuer: text.describe("The token's `iss`, exactly."),
    audience: z
      .array(text)
      .min(1)
      .max(8)
      .describe("The token's `aud` must name one of these: this gateway, nothing else."),
    jwks: z
      .strictObject({
        keys: z
          .array(jwkSchema)
          .min(1)
          .max(MAX_KEYS)
          .refine((keys) => areDistinct(keys.map(({ kid }) => kid)), { error: "duplicate kid" })
          .describe(
            "1 to 32 public keys (RFC 7517) with a `kid` each: Ed25519, P-256, P-384, or RSA of 2048 to 4096 " +
              "bits. A private key is refused.",
          ),
      })
      .describe("The issuer's public keys, a JWK set. Nothing is fetched: a new key is a new configuration."),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .max(ALGORITHMS.length)
      .refine(areDistinct, { error: "duplicate algorithm" })
      .describe("Signature algorithms that are accepted."),
    types: z
      .array(z.enum(["at+jwt", "JWT"]))
      .min(1)
      .max(2)
      .default(["at+jwt"])
      .describe(
        "Values of the header's `typ` that are accepted. `at+jwt` is an access token (RFC 9068); issuers that " +
          "say `JWT` say the same of other tokens.",
      ),
    clock_skew_seconds: z.int().min(0).max(300).default(60).describe("Seconds by which the issuer's clock may differ."),
    max_lifetime_seconds: z
      .int()
      .min(60)
      .max(86_400 * 7)
      .default(86_400)
      .describe("A token that ends later than so many seconds from now is refused."),
    subjects: z
      .array(subjectSchema)
      .max(1_000)
      .default([])
      .refine((subjects) => areDistinct(subjects.map(({ subject }) => subject)), { error: "duplicate subject" })
      .describe("Who the tokens of this issuer stand for."),
    any_subject: anySubjectSchema
      .nullish()
      .describe("Lets every subject of this issuer call, each as a principal of its own."),
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
  })
  .refine(({ subjects, any_subject: any }) => subjects.length > 0 || any != null, {
    path: ["subjects"],
    error: "allows no caller: list subjects, or set any_subject",
  })
  .refine(
    ({ jwks, algorithms }) =>
      jwks.keys.every((key) =>
        (key.alg === undefined ? algorithmsOf(key) : [key.alg]).some((algorithm) => algorithms.includes(algorithm)),
      ),
    {
      path: ["jwks"],
      error: "has a key that no accepted algorithm can use",
    },
  )
  // RFC 8725 section 3.1: one key, one algorithm.
  .refine(
    ({ jwks, algorithms }) =>
      jwks.keys.every(
        (key) =>
          key.alg !== undefined || algorithmsOf(key).filter((algorithm) => algorithms.includes(algorithm)).length <= 1,
      ),
    {
      path: ["jwks"],
      error: "has an RSA key without alg while RS256 and PS256 are both accepted: give the key its alg",
    },
  );

const overlap = (left: string, right: string): boolean => left.startsWith(right) || right.startsWith(left);

/** `enclave.identity`: who may call beside the holders of bearer tokens. Part of the launch document. */
export const identitySchema = z
  .strictObject({
    resource: z
      .string()
      .max(512)
      .refine(isResource, { error: "must be an https URL without query and fragment (http on a loopback address)" })
      .nullish()
      .describe("URL under which agents reach this gateway's MCP endpoint; the resource of RFC 9728. Needed for jwt."),
    scopes_supported: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, { error: "must be a scope of RFC 6749" }))
      .max(64)
      .default([])
      .describe("Scopes to name in the protected resource metadata."),
    jwt: z
      .array(issuerSchema)
      .max(MAX_ISSUERS)
      .default([])
      .refine((issuers) => areDistinct(issuers.map(({ issuer }) => issuer)), { error: "duplicate issuer" })
      .describe("Issuers whose JWTs are accepted as bearer tokens."),
    host_asserted: z
      .strictObject({
        trust_domains: z
          .array(trustDomain)
          .min(1)
          .max(64)
          .describe("SPIFFE trust domains of which the host's word is passed to policies."),
      })
      .nullish()
      .describe(
        "Lets policies see the client certificate's SPIFFE ID as the host reports it. The host may say what it " +
          "likes: it is a label, never a login.",
      ),
  })
  .refine(({ jwt, resource }) => jwt.length === 0 || resource != null, {
    path: ["resource"],
    error: "is needed with jwt",
  })
  .refine(
    ({ jwt }) => {
      const prefixes = jwt.flatMap(({ any_subject: any }) => (any == null ? [] : [any.prefix]));
      return prefixes.every((prefix, index) => prefixes.slice(index + 1).every((other) => !overlap(prefix, other)));
    },
    { path: ["jwt"], error: "has two any_subject prefixes of which one begins with the other" },
  );

/** `enclave.identity` with its defaults. */
export type IdentitySettings = z.output<typeof identitySchema>;
/** One accepted issuer. */
export type IssuerSettings = IdentitySettings["jwt"][number];
