import { CmcpError, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { IssuerSettings } from "./settings.ts";
import { tokenFault } from "./fault.ts";

/** The scopes of a token: `scope` (RFC 8693 section 4.2, RFC 9068 section 2.2.3) or, where an issuer has none, its `scp`. */
function scopesOf({ scope, scp }: JsonObject): ReadonlySet<string> {
  const value: JsonValue | undefined = scope ?? scp;
  const text = Array.isArray(value) && value.every((one) => typeof one === "string") ? value.join(" ") : (value ?? "");
  if (typeof text !== "string") throw tokenFault("scope");
  return new Set(text.split(" "));
}

/**
 * The workflows that a token may name: of those of its subject, the ones that its scopes give.
 * @param workflows those of the subject; `null` for all of its principal's
 * @throws CmcpError `SCOPE_INSUFFICIENT` if no scope of the token gives a workflow, with the scopes that would;
 *   `UNAUTHENTICATED`, reason `scope`, for scopes of another form
 */
export function narrowByScopes(
  workflows: readonly string[] | null,
  claims: JsonObject,
  { scope_workflows: byScope }: Pick<IssuerSettings, "scope_workflows">,
): readonly string[] | null {
  if (byScope == null) return workflows;
  const held = scopesOf(claims);
  const given = new Set(Object.entries(byScope).flatMap(([scope, named]) => (held.has(scope) ? named : [])));
  if (given.size === 0)
    throw new CmcpError("SCOPE_INSUFFICIENT", "no scope of the token gives a workflow", {
      detail: { scopes: Object.keys(byScope).join(" ") },
    });
  return workflows === null ? [...given] : workflows.filter((workflow) => given.has(workflow));
}
