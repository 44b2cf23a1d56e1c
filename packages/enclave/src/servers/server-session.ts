import { canonicalText } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import type { CallerIdentity } from "./authorizations.ts";

/** Key of the gateway's own session with a server. It is no UUID, so it cannot be a session id. */
const OWN_SESSION = "gateway";

/** The session that a server is asked for. */
export interface SessionRef {
  readonly id: string;
  readonly principalId: string;
  /** Who an issuer says that the caller is; `null` or absent where none does. Tokens that a person consents to are this caller's. */
  readonly identity?: CallerIdentity | null;
}

/** Whether a server's tokens are each caller's own. */
export function isPerCaller({ settings }: CatalogServer): boolean {
  return (settings?.authorization?.grant ?? "client_credentials") !== "client_credentials";
}

/** What tells one caller's tokens from another's. */
export function callerKey({ principalId, identity }: SessionRef): string {
  return canonicalText([principalId, identity?.issuer ?? null, identity?.subject ?? null]);
}

/** The holder of slots: the principal, or the gateway itself for each server. */
function holderOf(server: CatalogServer, session: SessionRef | null): string {
  return session === null ? `${OWN_SESSION}:${server.identity}` : `principal:${session.principalId}`;
}

/**
 * The key of a session with a server. Network servers have a session for each session here. A stdio server is a process
 * of one principal.
 */
export function keyOf(server: CatalogServer, session: SessionRef | null): string {
  const holder = holderOf(server, session);
  if (server.transport === "stdio") return holder;
  const id = session?.id ?? OWN_SESSION;
  return server.transport === "http-sse" ? `${id} ${holder}` : id;
}

/** The holder in the key of a session with an http-sse server. Ids contain no space. */
export function holderIn(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}
