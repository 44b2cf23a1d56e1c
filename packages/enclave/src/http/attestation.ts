import { CmcpError } from "@cmcp/boundary";
import type { Evidence } from "@cmcp/appraise/evidence";
import type { HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import { instanceReport, type ReportCommitments, type RulesHashes } from "../instance/report.ts";
import { json } from "./json-response.ts";

const NONCE = /^[A-Za-z0-9_-]{16,128}$/;

/** What the attestation endpoint needs. */
export interface AttestationPorts {
  readonly commitments: ReportCommitments;
  /** Of policy and catalog in force. */
  readonly hashes: () => RulesHashes;
  /** @throws CmcpError `OVERLOADED` if the principal asks too often */
  readonly collectOnDemand: (reportData: Uint8Array, principalId: string) => Promise<Evidence>;
}

/** `GET /attestation?nonce=`: a new report that commits to the nonce, the keys and what is loaded. */
export async function attestation(parts: AttestationPorts, url: URL, caller: Caller): Promise<HttpResponse> {
  const nonce = url.searchParams.get("nonce") ?? "";
  if (!NONCE.test(nonce)) throw new CmcpError("MCP_INVALID_REQUEST", "nonce must be 16 to 128 base64url characters");
  const collect = (reportData: Uint8Array): Promise<Evidence> => parts.collectOnDemand(reportData, caller.principalId);
  return json(await instanceReport(parts.commitments, parts.hashes(), nonce, collect));
}
