import { visibleText } from "./characters.ts";
import type { Finding } from "./finding.ts";

/** A finding on one line of visible characters. */
export function describeFinding({ tool, subject, severity, kind, path, codePoint, message }: Finding): string {
  return visibleText(
    `${severity}: ${subject ?? "tool"} ${tool}: ${kind}${codePoint === null ? "" : ` ${codePoint}`} at ${path}: ${message}`,
  );
}
