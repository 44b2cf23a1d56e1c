import { skeleton, withoutForm } from "@cmcp/findings";
import type { Finding, Severity } from "./finding.ts";
import { MAX_COMPARED_NAME, MAX_FINDINGS, MAX_NAME_PAIRS } from "./limits.ts";

/** A tool's name and the identity of who offers it. */
export interface NamedTool {
  readonly toolName: string;
  readonly server: string;
}

/** Whether one insertion, removal or replacement of a UTF-16 unit, or one swap of neighbours, makes `left` into `right`. */
export function isOneEdit(left: string, right: string): boolean {
  const [short, long] = left.length <= right.length ? [left, right] : [right, left];
  if (long.length - short.length > 1 || short === long) return false;
  let at = 0;
  while (at < short.length && short[at] === long[at]) at += 1;
  if (short.length < long.length) return short.slice(at) === long.slice(at + 1);
  if (short.slice(at + 1) === long.slice(at + 1)) return true;
  return short[at] === long[at + 1] && short[at + 1] === long[at] && short.slice(at + 2) === long.slice(at + 2);
}

/** Highest number of names whose index fits beside a 32-bit hash in an exact double. */
const INDEX_SPAN = 2 ** 20;

/**
 * Hashes of each name and of each name with one unit left out, sorted, each with its name's index. Two names
 * within one edit share a hash: replacement, removal and swap all meet in a name with a unit left out.
 */
function neighbourHashes(names: readonly string[]): Float64Array {
  const entries = new Float64Array(names.reduce((sum, name) => sum + name.length + 1, 0));
  let count = 0;
  for (const [index, name] of names.entries()) {
    const powers = new Uint32Array(name.length + 1);
    const suffixes = new Uint32Array(name.length + 1);
    powers[0] = 1;
    for (let at = 0; at < name.length; at += 1) powers[at + 1] = Math.imul(powers[at] ?? 0, 0x01000193);
    for (let at = name.length - 1; at >= 0; at -= 1)
      suffixes[at] =
        (Math.imul(name.charCodeAt(at) + 1, powers[name.length - 1 - at] ?? 0) + (suffixes[at + 1] ?? 0)) >>> 0;
    entries[count] = (suffixes[0] ?? 0) * INDEX_SPAN + index;
    count += 1;
    let prefix = 0;
    for (let at = 0; at < name.length; at += 1) {
      const left = (Math.imul(prefix, powers[name.length - 1 - at] ?? 0) + (suffixes[at + 1] ?? 0)) >>> 0;
      entries[count] = left * INDEX_SPAN + index;
      count += 1;
      prefix = (Math.imul(prefix, 0x01000193) + name.charCodeAt(at) + 1) >>> 0;
    }
  }
  return entries.sort();
}

type Report = (left: NamedTool, right: NamedTool, severity: Severity, why: string) => void;

/** Why two names are reported, and how grave it is. */
interface Grounds {
  readonly severity: (left: NamedTool, right: NamedTool) => Severity;
  readonly why: string;
}

function alike(
  tools: readonly NamedTool[],
  key: (name: string) => string,
  report: Report,
  { severity, why }: Grounds,
): void {
  const first = new Map<string, NamedTool>();
  for (const tool of tools) {
    const shape = key(tool.toolName.slice(0, MAX_COMPARED_NAME));
    const known = first.get(shape);
    if (known === undefined) first.set(shape, tool);
    else if (known.toolName !== tool.toolName) report(known, tool, severity(known, tool), why);
  }
}

/** What is put before or after a name to pass for it, or for what follows it. */
const PREFIXES = /^(?:new|my|the|real|true|official|original|better|best|safe|secure|fast|super|pro)[-_.]/;
const SUFFIXES =
  /(?:[-_.]?v?[0-9]+(?:[-_.][0-9]+)*|[-_.](?:new|newest|latest|next|old|copy|fixed|updated|improved|better|official|real|safe|secure|fast|pro|plus|alt|beta|final|tool))$/;

/** A name without the prefixes and suffixes that make another one of it; itself where nothing would be left. */
export function withoutAffixes(name: string): string {
  let rest = name.toLowerCase();
  for (;;) {
    const shorter = rest.replace(PREFIXES, "").replace(SUFFIXES, "");
    if (shorter === rest || shorter === "") return rest;
    rest = shorter;
  }
}

/** Pairs of different servers' names that differ in one place. False when there were too many pairs to compare. */
function oneEditApart(tools: readonly NamedTool[], report: Report): boolean {
  const names = tools.map(({ toolName }) => toolName.slice(0, MAX_COMPARED_NAME));
  const entries = neighbourHashes(names);
  let compared = 0;
  let start = 0;
  for (let end = 1; end <= entries.length; end += 1) {
    const hash = Math.floor((entries[start] ?? 0) / INDEX_SPAN);
    if (end < entries.length && Math.floor((entries[end] ?? 0) / INDEX_SPAN) === hash) continue;
    for (let one = start; one < end; one += 1) {
      for (let two = one + 1; two < end; two += 1) {
        compared += 1;
        if (compared > MAX_NAME_PAIRS) return false;
        const [left, right] = [(entries[one] ?? 0) % INDEX_SPAN, (entries[two] ?? 0) % INDEX_SPAN];
        const [a, b] = [tools[left], tools[right]];
        if (
          a !== undefined &&
          b !== undefined &&
          a.server !== b.server &&
          isOneEdit(names[left] ?? "", names[right] ?? "")
        )
          report(a, b, "medium", "differs in one character from");
      }
    }
    start = end;
  }
  return true;
}

/** Names that would be taken for one another. A pair is reported once, for its gravest reason. */
export function findLookalikes(tools: readonly NamedTool[]): Finding[] {
  const findings: Finding[] = [];
  const pairs = new Set<string>();
  const add = ({ toolName, server }: NamedTool, severity: Severity, kind: Finding["kind"], message: string): void => {
    if (findings.length < MAX_FINDINGS)
      findings.push({
        tool: toolName,
        server,
        kind,
        severity,
        path: "/tool_name",
        codePoint: null,
        offset: null,
        message,
      });
  };
  let untold = 0;
  const report: Report = (left, right, severity, why) => {
    const pair = JSON.stringify([left.toolName, left.server, right.toolName, right.server].toSorted());
    if (pairs.has(pair)) return;
    if (findings.length >= MAX_FINDINGS) untold += 1;
    else {
      pairs.add(pair);
      add(right, severity, "look-alike-name", `${why} ${left.toolName} of ${left.server}`);
    }
  };
  alike(tools, skeleton, report, {
    severity: (left, right) =>
      left.server !== right.server && withoutForm(left.toolName) !== withoutForm(right.toolName) ? "high" : "medium",
    why: "looks like",
  });
  alike(tools, withoutForm, report, { severity: () => "medium", why: "differs only in case or separators from" });
  alike(
    tools,
    withoutAffixes,
    (left, right, severity, why) => {
      if (left.server !== right.server) report(left, right, severity, why);
    },
    { severity: () => "medium", why: "differs only by a prefix or suffix from" },
  );
  const complete = oneEditApart(tools, report);
  const [one] = tools;
  if ((!complete || untold > 0) && one !== undefined) {
    findings.push({
      tool: one.toolName,
      server: one.server,
      kind: "not-scanned",
      severity: "medium",
      path: "/tool_name",
      codePoint: null,
      offset: null,
      message: "the catalog has more similar names than are compared and listed",
    });
  }
  return findings;
}
