import process from "node:process";
import type { ErrorCode } from "@cmcp/boundary";

/**
 * Writes an internal error to standard error: its kind and code positions only. Its message is omitted, because it could quote a payload.
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

/** Writes to standard error that the enforcement mode let a refused call through. The audit chain records it too. */
export function reportAdvisory(callId: string, code: ErrorCode): void {
  process.stderr.write(`${JSON.stringify({ event: "advisory_deny", call_id: callId, error_code: code })}\n`);
}
