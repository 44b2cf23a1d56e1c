import { isIP } from "node:net";
import { domainToUnicode } from "node:url";
import { skeleton } from "@cmcp/findings";
import type { Finding, Severity } from "./finding.ts";
import { MAX_FINDINGS, MAX_NAME_PAIRS } from "./limits.ts";
import { isOneEdit, type NamedTool } from "./names.ts";

/** Second-level labels this short are mostly registries' own, such as `co` and `com`: names are given out below them. */
const REGISTRY_LABEL = 3;

/** Registered labels shorter than this differ in one character by chance. */
const SHORTEST_COMPARED = 4;

/** A host, and the first tool from there. */
interface PublishedHost {
  readonly host: string;
  readonly tool: NamedTool;
}

/** The host of a server's URL as people read it; `null` for a server without one, for addresses and this machine. */
function hostOf(server: string): string | null {
  const url = URL.parse(server);
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  const host = domainToUnicode(url.hostname).replace(/\.$/, "");
  return isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0 || !host.includes(".") ? null : host;
}

/** What somebody registered, as far as a name tells: its last two labels, three below a registry's own second level. */
function registered(host: string): string {
  const labels = host.split(".");
  const second = labels.at(-2) ?? "";
  return labels.slice(second.length <= REGISTRY_LABEL ? -3 : -2).join(".");
}

/** Whether one host has the other before further labels, as `example.com.other.net` has `example.com`. */
function isWithin(inner: string, outer: string): boolean {
  return `.${outer}`.includes(`.${inner}.`);
}

/** Why one host would be taken for the other; `null` when not. Hosts below one registered name are their owner's. */
function likeness(left: string, right: string): { readonly severity: Severity; readonly why: string } | null {
  if (registered(left) === registered(right)) return null;
  if (skeleton(left) === skeleton(right)) return { severity: "high", why: "looks like" };
  const names = [registered(left), registered(right)] as const;
  if (names.every((name) => name.indexOf(".") >= SHORTEST_COMPARED) && isOneEdit(...names))
    return { severity: "medium", why: "differs in one character from" };
  if (isWithin(left, right) || isWithin(right, left))
    return { severity: "medium", why: "has the same labels, and others after them, as" };
  return null;
}

function aboutHost({ host, tool }: PublishedHost, severity: Severity, message: string): Finding {
  return {
    tool: tool.toolName,
    server: tool.server,
    kind: "look-alike-host",
    severity,
    path: "/server/url",
    codePoint: null,
    offset: null,
    message: `the host ${host} ${message}`,
  };
}

/** Hosts of servers that would be taken for one another. */
export function findLookalikeHosts(tools: readonly NamedTool[]): Finding[] {
  const hosts = new Map<string, PublishedHost>();
  for (const tool of tools) {
    const host = hostOf(tool.server);
    if (host !== null && !hosts.has(host)) hosts.set(host, { host, tool });
  }
  const findings: Finding[] = [];
  const all = [...hosts.values()];
  let pairs = 0;
  for (const [index, right] of all.entries()) {
    for (const left of all.slice(0, index)) {
      pairs += 1;
      if (pairs > MAX_NAME_PAIRS || findings.length >= MAX_FINDINGS)
        return [
          ...findings,
          { ...aboutHost(right, "medium", "and others were not compared: there are too many"), kind: "not-scanned" },
        ];
      const found = likeness(left.host, right.host);
      if (found !== null) findings.push(aboutHost(right, found.severity, `${found.why} ${left.host}`));
    }
  }
  return findings;
}
