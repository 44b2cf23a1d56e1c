import { CmcpError } from "@cmcp/boundary";
import type { IdentitySettings } from "./schema.ts";

/**
 * Holds the settings to the measured principals: a subject stands for one of them, and none of them could be taken for
 * a subject of `any_subject`.
 * @throws CmcpError `CONFIG_INVALID`
 */
export function requirePrincipals({ jwt }: IdentitySettings, principals: ReadonlySet<string>): void {
  const refuse = (why: string): never => {
    throw new CmcpError("CONFIG_INVALID", `enclave.identity.jwt: ${why}`);
  };
  const prefixes = jwt.flatMap(({ any_subject: any }) => (any == null ? [] : [any.prefix]));
  for (const { issuer, subjects } of jwt) {
    const unknown = subjects.find(({ principal }) => !principals.has(principal));
    if (unknown !== undefined)
      refuse(`${issuer} names the principal ${unknown.principal}, which is not in enclave.principals`);
  }
  for (const prefix of prefixes) {
    for (const principal of principals)
      if (principal.startsWith(prefix))
        refuse(`the principal ${principal} begins with the any_subject prefix ${prefix}`);
  }
}
