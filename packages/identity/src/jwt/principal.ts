import { principalName } from "../names.ts";
import type { IssuerSettings } from "../schema.ts";
import { tokenFault } from "./fault.ts";

/** Who a subject stands for. */
export interface MappedPrincipal {
  readonly principalId: string;
  readonly workflows: readonly string[] | null;
}

/** @throws CmcpError `UNAUTHENTICATED`, reason `subject`, for one the configuration does not let in */
export function principalOf(subject: string, { subjects, any_subject: any }: IssuerSettings): MappedPrincipal {
  const listed = subjects.find((one) => one.subject === subject);
  if (listed !== undefined) return { principalId: listed.principal, workflows: listed.workflows ?? null };
  if (any == null) throw tokenFault("subject");
  const principalId = `${any.prefix}${subject}`;
  // One that does not fit a principal's name is refused: whatever it were changed to could be somebody else's.
  if (!principalName.safeParse(principalId).success) throw tokenFault("subject");
  return { principalId, workflows: any.workflows };
}
