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

/** Characters of a server's name in an event. */
const MAX_SERVER_NAME = 128;

/** Writes to standard error that a server does not work: its name in the catalog, a reason of a closed list, and what to do. */
export function reportServerFault(server: string, reason: string, action: string): void {
  const name = server.slice(0, MAX_SERVER_NAME);
  process.stderr.write(`${JSON.stringify({ event: "server_fault", server: name, reason, action })}\n`);
}

/** Writes to standard error that nobody was told of an approval that waits. */
export function reportNoticeFailed(approvalId: string, why: string): void {
  process.stderr.write(
    `${JSON.stringify({ event: "approval_notice_failed", approval_id: approvalId, reason: why })}\n`,
  );
}

/** Writes to standard error that the enforcement mode let a refused call through. The audit chain records it too. */
export function reportAdvisory(callId: string, code: ErrorCode): void {
  process.stderr.write(`${JSON.stringify({ event: "advisory_deny", call_id: callId, error_code: code })}\n`);
}
