import { CmcpError } from "@cmcp/boundary";
import { anySubjectPrefixes } from "./any-subject.ts";
import type { IdentitySettings } from "./schema.ts";

export { anySubjectPrefixes } from "./any-subject.ts";

/**
 * Holds the settings to the measured principals: a subject stands for one of them, and none of them could be taken for
 * a subject of `any_subject`.
 * @throws CmcpError `CONFIG_INVALID`
 */
export function requirePrincipals(identity: IdentitySettings, principals: ReadonlySet<string>): void {
  const issuers = {
    jwt: identity.jwt.map(({ issuer, subjects }) => ({ issuer, subjects })),
    spiffe: (identity.spiffe ?? []).map(({ trust_domain: issuer, subjects }) => ({ issuer, subjects })),
  };
  for (const [key, named] of Object.entries(issuers))
    for (const { issuer, subjects } of named) {
      const unknown = subjects.find(({ principal }) => !principals.has(principal));
      if (unknown !== undefined)
        throw refusal(key, `${issuer} names the principal ${unknown.principal}, which is not in enclave.principals`);
    }
  for (const prefix of anySubjectPrefixes(identity))
    for (const principal of principals)
      if (principal.startsWith(prefix))
        throw refusal("jwt", `the principal ${principal} begins with the any_subject prefix ${prefix}`);
}

function refusal(key: string, why: string): CmcpError {
  return new CmcpError("CONFIG_INVALID", `enclave.identity.${key}: ${why}`);
}
