import type { JsonObject } from "@cmcp/boundary";
import { toolListHash } from "./tool-list.ts";

/** Who stands behind a record (MCP Server Provenance Record v1, section 1), weakest first. */
export const PROVENANCE_KINDS = ["publisher-asserted", "observer-attested"] as const;
export type ProvenanceKind = (typeof PROVENANCE_KINDS)[number];

/** A record about a server, whose signature and identity were checked. What the server lists is held to it when it is read. */
export interface Provenance {
  readonly kind: ProvenanceKind;
  /** DID or SPIFFE ID of whoever signed it. */
  readonly publisher: string;
  /** SHA-256 of the list of tools, `sha256:` and hex, and how many there are. */
  readonly tools: { readonly hash: string; readonly count: number };
}

/** Whether a live list is the one that a record describes (section 5, step 5). */
export function isListOf({ tools }: Provenance, live: readonly JsonObject[]): boolean {
  return live.length === tools.count && toolListHash(live) === tools.hash;
}
