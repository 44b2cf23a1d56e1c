import type { HostAct } from "../schedule/acts.ts";

/** What the host puts beside a request, and what follows from it. */
export interface LyingHeaders {
  readonly headers: Readonly<Record<string, string>>;
  /** A token instead of the agent's. */
  readonly token?: string;
  /** Why the request must not succeed, `null` where it may. */
  readonly forbidden: string | null;
}

/** @param foreign the other agent's session handle */
export function headersOf(act: Extract<HostAct, { kind: "header" }> | null, foreign: string | null): LyingHeaders {
  switch (act?.lie) {
    case undefined:
      return { headers: {}, forbidden: null };
    case "peer":
      return { headers: { "x-cmcp-host-asserted-spiffe-id": "spiffe://trust.example/admin" }, forbidden: null };
    case "version":
      return { headers: { "mcp-protocol-version": "2099-01-01" }, forbidden: null };
    case "workflow":
      return { headers: { "x-mcp-workflow-id": "permissive" }, forbidden: "the workflow is not its principal's" };
    case "origin":
      return { headers: { origin: "https://elsewhere.example" }, forbidden: "the origin is not listed" };
    case "handle":
      return {
        headers: { "mcp-session-id": foreign ?? "A".repeat(43) },
        forbidden: "the session is another principal's",
      };
    case "token":
      return { headers: {}, token: "token-that-was-never-provisioned-0000000", forbidden: "the token is nobody's" };
  }
}
