import * as z from "zod";
import { jwksFetchSchema, jwksUri } from "../jwks/settings.ts";
import { MAX_KEYS } from "../limits.ts";
import { principalName } from "../names.ts";
import { areDistinct, subjectSchema, text, tokenMembers, workflows } from "../token-settings.ts";
import { ALGORITHMS, algorithmsOf } from "./algorithms.ts";
import { jwkSchema } from "./jwk.ts";

const anySubjectSchema = z.strictObject({
  prefix: principalName
    .max(64)
    .describe("The principal is this and the token's `sub`. No other principal may begin with it."),
  workflows: workflows.default(["default"]).describe("Workflows such a principal may name."),
});

/** An issuer whose JWTs are accepted. */
export const issuerSchema = z
  .strictObject({
    issuer: text.describe("The token's `iss`, exactly."),
    ...tokenMembers,
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
      .nullish()
      .describe("The issuer's public keys, a JWK set. A new key is a new configuration. Either this or `jwks_uri`."),
    jwks_uri: jwksUri
      .nullish()
      .describe(
        "Where the enclave fetches the issuer's public keys. `jwks_fetch` says from whom and how long they count.",
      ),
    jwks_fetch: jwksFetchSchema.nullish().describe("Trust in the server of `jwks_uri`, and ages of its keys."),
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
    require_dpop: z
      .boolean()
      .nullish()
      .describe(
        "Takes only tokens of this issuer that are bound to a key of their sender (RFC 9449). Bound tokens are taken in " +
          "either case, and never without the proof.",
      ),
  })
  .refine(
    ({ jwks, jwks_uri: uri, jwks_fetch: fetched }) =>
      (jwks == null) !== (uri == null) && (uri == null) === (fetched == null),
    {
      path: ["jwks"],
      error: "needs either jwks, or jwks_uri with jwks_fetch",
    },
  )
  .refine(({ subjects, any_subject: any }) => subjects.length > 0 || any != null, {
    path: ["subjects"],
    error: "allows no caller: list subjects, or set any_subject",
  })
  .refine(
    ({ jwks, algorithms }) =>
      (jwks?.keys ?? []).every((key) =>
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
      (jwks?.keys ?? []).every(
        (key) =>
          key.alg !== undefined || algorithmsOf(key).filter((algorithm) => algorithms.includes(algorithm)).length <= 1,
      ),
    {
      path: ["jwks"],
      error: "has an RSA key without alg while RS256 and PS256 are both accepted: give the key its alg",
    },
  );

/** One accepted issuer. */
export type IssuerSettings = z.output<typeof issuerSchema>;
