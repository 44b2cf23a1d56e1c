import * as z from "zod";
import { MAX_PINS } from "../limits.ts";
import { areDistinct } from "../token-settings.ts";
import { isKeySetAddress } from "./address.ts";

/** A key of a server: `SHA256:` and base64 of the SHA-256 of its SubjectPublicKeyInfo, as catalogs have it. */
const keyPin = z.string().regex(/^SHA256:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=?$/, {
  error: "must be SHA256: and the base64 of 32 bytes",
});

const keyPins = z
  .array(keyPin)
  .min(1)
  .max(MAX_PINS)
  .refine(areDistinct, { error: "duplicate pin" })
  .describe("Each `SHA256:` and base64 of the SHA-256 of a SubjectPublicKeyInfo.");

/** Where keys are fetched from. */
export const jwksUri = z
  .string()
  .max(512)
  .refine(isKeySetAddress, { error: "must be an https URL without credentials and fragment" });

/** Trust in the server that keys are fetched from, and their ages. */
export const jwksFetchSchema = z
  .strictObject({
    trust: z
      .enum(["pinned", "webpki", "private-ca"])
      .default("pinned")
      .describe(
        "How the issuer's server is known. `pinned`: it has one of the keys of `pins`. `webpki`: an authority compiled into " +
          "the measured Node vouches for its name. `private-ca`: one of `roots` does.",
      ),
    pins: keyPins.nullish().describe("Keys of the server, for `pinned`. List the next one beside the present one."),
    roots: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(16)
      .nullish()
      .describe("Names of enclave.server_roots, for `private-ca`."),
    issuer_pins: keyPins
      .nullish()
      .describe("For `webpki` and `private-ca`: an authority above the server's certificate has one of these keys."),
    refresh_seconds: z
      .int()
      .min(30)
      .max(86_400)
      .default(300)
      .describe("Age at which the keys are fetched again, beside the request that finds them that old."),
    max_age_seconds: z
      .int()
      .min(60)
      .max(86_400 * 7)
      .default(3_600)
      .describe(
        "Age from which the keys verify nothing. So long a key that the issuer took back can still count, and so long its " +
          "server can be out of reach.",
      ),
  })
  .refine(({ trust, pins }) => (trust === "pinned") === (pins != null), {
    path: ["pins"],
    error: "is needed with trust pinned, and only there",
  })
  .refine(({ trust, roots }) => (trust === "private-ca") === (roots != null), {
    path: ["roots"],
    error: "is needed with trust private-ca, and only there",
  })
  .refine(({ trust, issuer_pins: pins }) => trust !== "pinned" || pins == null, {
    path: ["issuer_pins"],
    error: "is for trust webpki and private-ca",
  })
  .refine(({ refresh_seconds: refresh, max_age_seconds: most }) => refresh < most, {
    path: ["refresh_seconds"],
    error: "must be less than max_age_seconds",
  });

/** How the keys of an issuer are fetched. */
export type KeyFetchSettings = z.output<typeof jwksFetchSchema>;
