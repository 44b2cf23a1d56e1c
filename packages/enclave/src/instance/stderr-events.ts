import process from "node:process";
import type { CmcpError, ErrorCode } from "@cmcp/boundary";

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

/** Writes to standard error that another instance writes the log, so that this one ends. */
export function reportFenced({ code, message }: CmcpError): void {
  process.stderr.write(`${JSON.stringify({ event: "fenced", error_code: code, reason: message })}\n`);
}

/** Writes to standard error that an earlier instance of the log is not believed, so that its record does not count. */
export function reportUnbelieved(instance: string, why: string): void {
  process.stderr.write(`${JSON.stringify({ event: "hand_over_refused", instance, reason: why })}\n`);
}

/** Writes to standard error that the enforcement mode let a refused call through. The audit chain records it too. */
export function reportAdvisory(callId: string, code: ErrorCode): void {
  process.stderr.write(`${JSON.stringify({ event: "advisory_deny", call_id: callId, error_code: code })}\n`);
}
