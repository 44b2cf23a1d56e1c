import { CmcpError } from "@cmcp/boundary";
import { usableKey } from "../jwks/key-set.ts";
import { tokenFault } from "../jwt/fault.ts";
import { KeyRing, type IssuerKeys } from "../jwt/keys.ts";
import { bundleOf, jwtAuthorities, type TrustBundles } from "./bundle.ts";
import type { SvidIssuerSettings } from "./settings.ts";

/**
 * The keys of a trust domain's measured bundle. A JWT-SVID must name its key.
 * @throws CmcpError `CONFIG_INVALID` without a bundle, without a key of use `jwt-svid`, or for one that no accepted algorithm can use
 */
export async function svidKeys(
  { trust_domain: domain, algorithms }: Pick<SvidIssuerSettings, "trust_domain" | "algorithms">,
  bundles: TrustBundles,
): Promise<IssuerKeys> {
  const authorities = jwtAuthorities(bundleOf(bundles, domain, "enclave.identity.spiffe"));
  const refuse = (why: string): CmcpError =>
    new CmcpError("CONFIG_INVALID", `enclave.spiffe_bundles.${domain}: ${why}`);
  if (authorities.length === 0) throw refuse("has no key of use jwt-svid, and enclave.identity.spiffe needs one");
  const keys = await Promise.all(
    authorities.map(async (jwk) => {
      const key = await usableKey({ ...jwk, use: "sig" }, algorithms);
      if (key === null)
        throw refuse(`the key ${JSON.stringify(jwk.kid)} is not a public key for exactly one accepted algorithm`);
      return key;
    }),
  );
  const ring = new KeyRing(keys);
  return {
    select: (header) => {
      if (header.kid === null) throw tokenFault("key");
      return { key: ring.select(header), keySet: null };
    },
  };
}
