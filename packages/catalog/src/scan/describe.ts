import { visibleText } from "./characters.ts";
import type { Finding } from "./finding.ts";

/** A finding on one line of visible characters. */
export function describeFinding({ tool, severity, kind, path, codePoint, message }: Finding): string {
  return visibleText(`${severity}: tool ${tool}: ${kind}${codePoint === null ? "" : ` ${codePoint}`} at ${path}: ${message}`);
}
