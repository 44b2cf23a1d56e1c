import { CmcpError } from "@cmcp/boundary";
import { MAX_SCOPE, MAX_SCOPES } from "./limits.ts";

/** A scope (RFC 6749 section 3.3). */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Whether a text is one scope. */
export function isScope(text: string): boolean {
  return text.length <= MAX_SCOPE && SCOPE.test(text);
}

/** The scopes of a space-separated list; `null` where there is no list, or none that is well formed. */
export function readScopes(list: string | null | undefined): readonly string[] | null {
  if (list == null || list.length > MAX_SCOPES * (MAX_SCOPE + 1)) return null;
  const scopes = [...new Set(list.split(" ").filter((scope) => scope !== ""))];
  return scopes.length > 0 && scopes.length <= MAX_SCOPES && scopes.every(isScope) ? scopes : null;
}

/** What scopes are chosen from. */
export interface ScopeSources {
  /** What a challenge names; `null` for none. */
  readonly challenged: readonly string[] | null;
  /** What the resource's metadata names; `null` for none. */
  readonly supported: readonly string[] | null;
  /** What was asked for before, and is asked for again. */
  readonly earlier: readonly string[];
}

/**
 * The scopes to ask for (MCP 2025-11-25, "Scope Selection Strategy"): those of the challenge, else those of the metadata, else
 * none. What may be asked for is measured: a tool server must not choose how much its token, or one that it can pass on, allows.
 * @param approved the most that may be asked for; `null` for no bound
 * @throws CmcpError `AUTHORIZATION_REFUSED` for a challenge beyond that
 */
export function chooseScopes(
  { challenged, supported, earlier }: ScopeSources,
  approved: readonly string[] | null,
): readonly string[] {
  const wanted = challenged ?? supported;
  const within = (scope: string): boolean => approved === null || approved.includes(scope);
  const excess = challenged?.find((scope) => !within(scope));
  if (excess !== undefined)
    throw new CmcpError(
      "AUTHORIZATION_REFUSED",
      "the tool server asks for a scope that its catalog entry does not list",
    );
  const chosen = wanted === null ? (approved ?? []) : wanted.filter(within);
  return [...new Set([...earlier, ...chosen])];
}
