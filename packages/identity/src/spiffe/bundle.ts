import { CmcpError, isTrustDomain, type JsonObject } from "@cmcp/boundary";
import * as z from "zod";
import { isSecretKey } from "../jwt/jwk.ts";
import { MAX_BUNDLE_KEYS, MAX_ISSUERS } from "../limits.ts";
import { areDistinct } from "../token-settings.ts";

/** The name of a trust domain (SPIFFE-ID section 2.1). */
export const trustDomain = z
  .string()
  .refine(isTrustDomain, { error: "must be a SPIFFE trust domain: 1 to 255 of a-z, 0-9, '.', '-' and '_'" });

type BundleKey = JsonObject;

const withUse = (keys: readonly BundleKey[], use: "jwt-svid" | "x509-svid"): readonly BundleKey[] =>
  keys.filter((key) => key.use === use);

const isKid = (kid: unknown): kid is string => typeof kid === "string" && kid !== "" && kid.length <= 256;

/** The base64 of the one certificate of a key; `null` where there is none, or several. */
function certificateOf({ x5c }: BundleKey): string | null {
  const [only, ...others] = Array.isArray(x5c) ? x5c : [];
  return typeof only === "string" && others.length === 0 ? only : null;
}

const bundleSchema = z.strictObject({
  keys: z
    .array(z.record(z.string(), z.json()))
    .min(1)
    .max(MAX_BUNDLE_KEYS)
    .refine((keys) => !keys.some(isSecretKey), {
      error: "has a private or shared key: whoever reads it can act as every workload of the trust domain",
    })
    .refine((keys) => withUse(keys, "jwt-svid").every(({ kid }) => isKid(kid)), {
      error: "has a key of use jwt-svid without a kid of 1 to 256 characters",
    })
    .refine((keys) => areDistinct(withUse(keys, "jwt-svid").flatMap(({ kid }) => (isKid(kid) ? [kid] : []))), {
      error: "duplicate kid",
    })
    .refine((keys) => withUse(keys, "x509-svid").every((key) => certificateOf(key) !== null), {
      error: "has a key of use x509-svid whose x5c is not exactly one certificate",
    })
    .describe(
      "Authorities of the trust domain, as JWKs: those of use `jwt-svid` verify JWT-SVIDs, those of use `x509-svid` have one " +
        "certificate in `x5c`. Keys of any other use are ignored. At most 64.",
    ),
  spiffe_sequence: z
    .int()
    .min(0)
    .optional()
    .describe("Version of the bundle. Measured with it; which bundle counts is the launch document's to say."),
  spiffe_refresh_hint: z
    .int()
    .min(0)
    .optional()
    .describe("Ignored: a measured bundle changes with the launch document only."),
});

/** `enclave.spiffe_bundles`: the bundles of trust domains, by their names. */
export const bundlesSchema = z
  .record(trustDomain, bundleSchema)
  .refine((bundles) => Object.keys(bundles).length <= MAX_ISSUERS, { error: `at most ${MAX_ISSUERS} trust domains` });

/** A trust domain's bundle (SPIFFE Trust Domain and Bundle, section 4). */
export type TrustBundle = z.output<typeof bundleSchema>;
/** Bundles by the names of their trust domains. */
export type TrustBundles = Readonly<Record<string, TrustBundle>>;

/** @throws CmcpError `CONFIG_INVALID` for a trust domain without a bundle */
export function bundleOf(bundles: TrustBundles, domain: string, what: string): TrustBundle {
  const bundle = Object.hasOwn(bundles, domain) ? bundles[domain] : undefined;
  if (bundle === undefined)
    throw new CmcpError(
      "CONFIG_INVALID",
      `${what} names the trust domain ${domain}, which enclave.spiffe_bundles does not have`,
    );
  return bundle;
}

/** The JWKs that verify the trust domain's JWT-SVIDs. */
export function jwtAuthorities({ keys }: TrustBundle): readonly BundleKey[] {
  return withUse(keys, "jwt-svid");
}

/** The certificates that X.509-SVIDs of the trust domain lead to: base64 of the DER of each. */
export function x509Authorities({ keys }: TrustBundle): readonly string[] {
  return withUse(keys, "x509-svid").map((key) => certificateOf(key) ?? "");
}
