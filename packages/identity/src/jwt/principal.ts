import { CmcpError } from "@cmcp/boundary";
import { principalName } from "../names.ts";
import type { IdentitySettings, IssuerSettings } from "../schema.ts";
import { tokenFault } from "./fault.ts";

/** Who a subject stands for. */
export interface Standing {
  readonly principalId: string;
  readonly workflows: readonly string[] | null;
}

/** @throws CmcpError `UNAUTHENTICATED`, reason `subject`, for one the configuration does not let in */
export function principalOf(subject: string, { subjects, any_subject: any }: IssuerSettings): Standing {
  const listed = subjects.find((one) => one.subject === subject);
  if (listed !== undefined) return { principalId: listed.principal, workflows: listed.workflows ?? null };
  if (any == null) throw tokenFault("subject");
  const principalId = `${any.prefix}${subject}`;
  // One that does not fit a principal's name is refused: whatever it were changed to could be somebody else's.
  if (!principalName.safeParse(principalId).success) throw tokenFault("subject");
  return { principalId, workflows: any.workflows };
}

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
    if (unknown !== undefined) refuse(`${issuer} names the principal ${unknown.principal}, which is not in enclave.principals`);
  }
  for (const prefix of prefixes) {
    for (const principal of principals) if (principal.startsWith(prefix)) refuse(`the principal ${principal} begins with the any_subject prefix ${prefix}`);
  }
}
