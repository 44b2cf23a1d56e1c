import process from "node:process";
import type { ErrorCode } from "@cmcp/boundary";

/**
 * Says on standard error where the enclave's own code failed: kind of error and code positions only. A
 * message could quote a payload, so none is printed.
 */
export function reportFault(thrown: unknown): void {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const kind = cause instanceof Error ? cause.name : typeof cause;
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  const positions = stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 6)
    .map((line) => line.trim().slice(0, 160));
  process.stderr.write(`${JSON.stringify({ event: "fault", kind, positions })}\n`);
}

/** Says on standard error that a call went out which policy refuses. The record of it is in the audit chain; this is for whoever watches the log. */
export function reportAdvisory(callId: string, code: ErrorCode): void {
  process.stderr.write(`${JSON.stringify({ event: "advisory_deny", call_id: callId, error_code: code })}\n`);
}
