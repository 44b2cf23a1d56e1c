import type { JsonValue } from "@cmcp/boundary";

/** Log levels, least severe first (RFC 5424 section 6.2.1, as MCP names them). */
export const LOG_LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A log level by its name; `undefined` for anything else. */
export function logLevel(value: JsonValue | undefined): LogLevel | undefined {
  return LOG_LEVELS.find((known) => known === value);
}

/** Whether a message is for somebody who named `least`; without it every message is. One of no known level is for nobody who named one. */
export function isWanted(level: JsonValue | undefined, least: LogLevel | null): boolean {
  if (least === null) return true;
  const known = logLevel(level);
  return known !== undefined && LOG_LEVELS.indexOf(known) >= LOG_LEVELS.indexOf(least);
}

/** The level that lets through what any of them lets through. */
export function mostVerbose(levels: Iterable<LogLevel>): LogLevel | undefined {
  const wanted = new Set(levels);
  return LOG_LEVELS.find((level) => wanted.has(level));
}
