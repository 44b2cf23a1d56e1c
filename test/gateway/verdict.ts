/** What `cmcp verify --json` prints. */
import assert from "node:assert/strict";
import type { CommandResult } from "./cli.ts";

/** A verdict as it is printed. */
export interface Printed {
  readonly outcome: string;
  readonly completeness: string;
  readonly assurance: string;
  readonly checks: readonly { readonly name: string; readonly status: string; readonly code?: string }[];
}

/** The verdict that a command printed. */
export const printed = ({ stdout }: CommandResult): Printed => JSON.parse(stdout) as Printed;
/** Names and codes of the checks that failed. */
export const failures = (result: CommandResult): string[] =>
  printed(result).checks.flatMap(({ name, status, code }) => (status === "failed" ? [`${name} ${code}`] : []));

/** The text with one occurrence replaced. */
export function changed(text: string, from: string, to: string): string {
  assert.ok(text.includes(from), from);
  return text.replace(from, to);
}
