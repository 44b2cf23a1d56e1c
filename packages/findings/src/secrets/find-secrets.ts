import type { Tally } from "../findings.ts";
import type { WorkBudget } from "../work-budget.ts";
import type { SecretRule } from "./rules.ts";

/** UTF-16 units before a keyword that its rule looks at. */
const BEFORE = 100;
/** UTF-16 units after a keyword that its rule looks at. */
const AFTER = 400;
/** The same for rules whose secrets are long: keys and tokens of several parts. */
const LONG_AFTER = 4096;
const LONG_RULES: ReadonlySet<string> = new Set([
  "private-key",
  "jwt",
  "jwt-base64",
  "curl-auth-header",
  "curl-auth-user",
]);
/** Rules whose secrets may be short words. */
const SHORT_SECRETS: ReadonlySet<string> = new Set(["curl-auth-header", "curl-auth-user", "private-key"]);
/** A unit that a pattern reads costs as much as this many of a plain scan. */
const PATTERN_COST = 16;
/** Most secrets that one rule gives for one window. */
const MAX_SECRETS = 16;
/** A run that can be a secret; most texts have none, and no rule is asked then. */
const TOKEN = /[A-Za-z0-9_/+=.~%-]{10,}/g;

/** Rules by the first two units of their keywords. */
type Starts = ReadonlyMap<number, readonly { readonly keyword: string; readonly rule: SecretRule }[]>;

interface Window {
  start: number;
  end: number;
}

const pairAt = (text: string, at: number): number => (text.charCodeAt(at) << 16) | text.charCodeAt(at + 1);

/** Where in a text runs stand that can be secrets: they hold a digit or letters of both cases. */
function tokenStarts(text: string): number[] {
  const starts: number[] = [];
  for (const { 0: run, index } of text.matchAll(TOKEN))
    if (/\d/.test(run) || (/[a-z]/.test(run) && /[A-Z]/.test(run.slice(1)))) starts.push(index);
  return starts;
}

/** Finds secrets by measured rules. A rule reads only what stands about one of its keywords. */
export class SecretFinder {
  readonly #starts: Starts;
  readonly #marks = new Uint8Array(1 << 14);

  constructor(rules: readonly SecretRule[]) {
    const starts = new Map<number, { keyword: string; rule: SecretRule }[]>();
    for (const rule of rules)
      for (const keyword of rule.keywords) {
        const pair = pairAt(keyword, 0);
        starts.set(pair, [...(starts.get(pair) ?? []), { keyword, rule }]);
        this.#marks[((pair >> 16) << 7) | (pair & 0x7f)] = 1;
      }
    this.#starts = starts;
  }

  /** Adds the secrets of a text. Linear: windows of one rule never overlap, and each is taken from the budget. */
  find(text: string, tally: Tally, budget: WorkBudget): void {
    const lower = text.toLowerCase();
    // A letter that changes its length in lower case would shift every place after it.
    const searched = lower.length === text.length ? lower : text;
    for (const [rule, windows] of this.#windows(searched, tokenStarts(text)))
      for (const { start, end } of windows) {
        if (!budget.take((end - start) * PATTERN_COST)) return;
        for (const secret of rule.find(text.slice(start, end), MAX_SECRETS)) tally.add("secret", rule.id, secret);
      }
  }

  #windows(lower: string, tokens: readonly number[]): ReadonlyMap<SecretRule, readonly Window[]> {
    const found = new Map<SecretRule, Window[]>();
    let token = 0;
    for (let at = 0; at + 1 < lower.length; at += 1) {
      const first = lower.charCodeAt(at);
      const second = lower.charCodeAt(at + 1);
      if (first > 0x7f || second > 0x7f || this.#marks[(first << 7) | second] === 0) continue;
      while (token < tokens.length && (tokens[token] ?? 0) < at - BEFORE) token += 1;
      const near = (tokens[token] ?? Number.POSITIVE_INFINITY) < at + AFTER;
      for (const { keyword, rule } of this.#starts.get((first << 16) | second) ?? []) {
        if ((!near && !SHORT_SECRETS.has(rule.id)) || !lower.startsWith(keyword, at)) continue;
        addWindow(found, rule, {
          start: Math.max(0, at - BEFORE),
          end: Math.min(lower.length, at + (LONG_RULES.has(rule.id) ? LONG_AFTER : AFTER)),
        });
      }
    }
    return found;
  }
}

function addWindow(found: Map<SecretRule, Window[]>, rule: SecretRule, window: Window): void {
  const windows = found.get(rule);
  const last = windows?.at(-1);
  if (windows === undefined) found.set(rule, [window]);
  else if (last !== undefined && window.start <= last.end) last.end = Math.max(last.end, window.end);
  else windows.push(window);
}
