import { describeFinding, type Finding } from "@cmcp/catalog";
import type { Terminal } from "../command.ts";

const COLOURS = { high: "\u001b[31m", medium: "\u001b[33m", low: "\u001b[2m" } as const;

/** Whether any finding makes a catalog unacceptable outside development. */
export function hasBlockingFinding(findings: readonly Finding[]): boolean {
  return findings.some(({ severity }) => severity === "high");
}

/** A finding as a line for people. */
export function findingLine(finding: Finding, { colour }: Terminal): string {
  const line = describeFinding(finding);
  return colour ? `${COLOURS[finding.severity]}${line}\u001b[0m` : line;
}

/** Findings as JSON has them in every command. */
export function findingJson({
  tool,
  subject,
  server,
  kind,
  severity,
  path,
  codePoint,
  offset,
  message,
}: Finding): object {
  return { tool, subject: subject ?? "tool", server, kind, severity, path, code_point: codePoint, offset, message };
}

/** JSON of one line in ASCII: what a finding is about must not act on the terminal it is shown on. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
