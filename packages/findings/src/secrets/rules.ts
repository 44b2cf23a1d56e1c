import { CmcpError, parseJsonText } from "@cmcp/boundary";
import { RE2JS } from "re2js";

const LIMITS = { maxBytes: 512 * 1024, maxDepth: 16, maxItems: 20_000 };

/** Exceptions of a rule: what it matches and is no secret. */
interface AllowedData {
  readonly target: string;
  readonly regexes: readonly string[];
  readonly stopwords: readonly string[];
}

interface RuleData {
  readonly id: string;
  readonly regex: string;
  readonly keywords: readonly string[];
  readonly entropy: number;
  readonly group: number;
  readonly allowed: readonly AllowedData[];
}

/** The measured rules, as scripts/detector-data.ts writes them. */
export interface RuleSetData {
  readonly rules: readonly RuleData[];
  readonly allowed: AllowedData;
}

/** Exceptions with their patterns, compiled when they are first asked. */
class Allowed {
  readonly #data: AllowedData;
  #patterns: readonly RE2JS[] | undefined;

  constructor(data: AllowedData) {
    this.#data = data;
  }

  covers(secret: string, match: string): boolean {
    this.#patterns ??= this.#data.regexes.map((regex) => RE2JS.compile(regex));
    const target = this.#data.target === "secret" ? secret : match;
    const lower = secret.toLowerCase();
    return (
      this.#patterns.some((pattern) => pattern.test(target)) ||
      this.#data.stopwords.some((word) => lower.includes(word))
    );
  }
}

/** Bits of Shannon entropy of one character of a text. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  const total = Array.from(text).length;
  let bits = 0;
  for (const count of counts.values()) bits -= (count / total) * Math.log2(count / total);
  return bits;
}

/** One rule of gitleaks: a linear pattern behind keywords, a least entropy, exceptions. */
export class SecretRule {
  readonly id: string;
  readonly keywords: readonly string[];
  readonly #data: RuleData;
  readonly #exceptions: readonly Allowed[];
  #pattern: RE2JS | undefined;

  constructor(data: RuleData, everywhere: Allowed) {
    this.id = data.id;
    this.keywords = data.keywords;
    this.#data = data;
    this.#exceptions = [everywhere, ...data.allowed.map((allowed) => new Allowed(allowed))];
  }

  /** The secrets in a text, at most `most`. */
  find(text: string, most: number): string[] {
    this.#pattern ??= RE2JS.compile(this.#data.regex);
    const matcher = this.#pattern.matcher(text);
    const secrets: string[] = [];
    while (secrets.length < most && matcher.find()) {
      const match = matcher.group() ?? "";
      let secret = this.#data.group > 0 ? (matcher.group(this.#data.group) ?? "") : "";
      for (let group = 1; secret === "" && group <= matcher.groupCount(); group += 1)
        secret = matcher.group(group) ?? "";
      if (secret === "") secret = match;
      if (this.#data.entropy > 0 && entropyOf(secret) <= this.#data.entropy) continue;
      if (!this.#exceptions.some((exception) => exception.covers(secret, match))) secrets.push(secret);
    }
    return secrets;
  }
}

/**
 * The rules of measured data.
 *
 * @throws CmcpError `DETECTOR_DATA_REFUSED` when it is not their JSON text.
 */
export function readRules(text: string): readonly SecretRule[] {
  try {
    const { rules, allowed } = parseJsonText(text, LIMITS) as unknown as RuleSetData;
    const everywhere = new Allowed(allowed);
    return rules.map((rule) => new SecretRule(rule, everywhere));
  } catch (thrown) {
    throw new CmcpError("DETECTOR_DATA_REFUSED", "the secret rules are not JSON of a rule set", { cause: thrown });
  }
}
