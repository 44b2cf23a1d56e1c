import process from "node:process";
import type { ErrorCode } from "@cmcp/boundary";

/** Says on standard error that a call went out which policy refuses. The record of it is in the audit chain; this is for whoever watches the log. */
export function reportAdvisory(callId: string, code: ErrorCode): void {
  process.stderr.write(`${JSON.stringify({ event: "advisory_deny", call_id: callId, error_code: code })}\n`);
}
