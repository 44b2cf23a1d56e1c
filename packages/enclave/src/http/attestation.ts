import { CmcpError } from "@cmcp/boundary";
import type { HttpResponse } from "@cmcp/mcp";
import { instanceReport } from "../instance/report.ts";
import type { Core } from "../boot/core.ts";
import type { Caller } from "../access/caller.ts";
import { json } from "./json-response.ts";

const NONCE = /^[A-Za-z0-9_-]{16,128}$/;

/** `GET /attestation?nonce=`: a report that commits to the nonce, the keys and what is loaded. */
export async function attestation(core: Core, url: URL, caller: Caller): Promise<HttpResponse> {
  const nonce = url.searchParams.get("nonce") ?? "";
  if (!NONCE.test(nonce)) throw new CmcpError("MCP_INVALID_REQUEST", "nonce must be 16 to 128 base64url characters");
  return json(
    await instanceReport(core, core.policy.bundle.hash, nonce, (reportData) =>
      core.reports.collectOnDemand(reportData, caller.principalId),
    ),
  );
}
