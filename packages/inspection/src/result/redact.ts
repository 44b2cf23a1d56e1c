import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { RedactedValues } from "./echoes.ts";
import { RedactRules } from "./redact-rules.ts";
import { readTextContent, writeTextContent } from "./text.ts";

const MAX_TEXT_NESTING = 4;
/** Members of a result that redaction can look into. */
const READABLE: ReadonlySet<string> = new Set(["content", "structuredContent", "isError"]);

/** Says of a walk that a value is to be left out. */
const GONE = Symbol("gone");
type Kept = JsonValue | typeof GONE;

/** A result after redaction. */
export interface Redacted {
  readonly result: JsonObject;
  /** Fields, texts and content blocks taken out. */
  readonly redacted: number;
  /** Content blocks among them that were withheld whole. */
  readonly withheld: number;
}

/** Takes fields out of one result: first the fields, then whatever repeats their values. */
class Redaction {
  readonly rules: RedactRules;
  readonly values: RedactedValues;
  count = 0;

  private constructor(rules: RedactRules, values: RedactedValues) {
    this.rules = rules;
    this.values = values;
  }

  /** A redaction that already knows the values of the fields in `parts`. */
  static knowing(rules: RedactRules, parts: readonly Kept[]): Redaction {
    const reading = new Redaction(rules, new RedactedValues());
    each(parts, (value) => reading.fields(value, "", 0));
    return new Redaction(rules, reading.values);
  }

  fields(value: JsonValue, path: string, nesting: number): Kept {
    if (typeof value === "string") return this.#text(value, nesting);
    if (Array.isArray(value)) return this.#list(value, (item) => this.fields(item, path, nesting));
    if (!isJsonObject(value)) return value;
    return this.#members(value, (name, member) => {
      const at = RedactRules.childPath(path, name);
      if (!this.rules.matches(at)) return this.fields(member, at, nesting);
      this.values.add(member);
      return this.#gone();
    });
  }

  echoes(value: JsonValue): Kept {
    if (typeof value === "string" || typeof value === "number")
      return this.values.isIn(String(value)) ? this.#gone() : value;
    if (Array.isArray(value)) return this.#list(value, (item) => this.echoes(item));
    if (!isJsonObject(value)) return value;
    return this.#members(value, (name, member) => (this.values.isIn(name) ? this.#gone() : this.echoes(member)));
  }

  /** A text inside structured data: JSON in it is redacted in place, and one that cannot be read for sure goes. */
  #text(text: string, nesting: number): Kept {
    const content = readTextContent(text);
    if (content.kind === "plain") return this.rules.isMentionedIn(text) ? this.#gone() : text;
    if (content.kind === "ambiguous" || nesting >= MAX_TEXT_NESTING) return this.#gone();
    const before = this.count;
    const inner = this.fields(content.value, "", nesting + 1);
    if (inner === GONE) return GONE;
    return this.count === before ? text : writeTextContent(inner);
  }

  #gone(): typeof GONE {
    this.count += 1;
    return GONE;
  }

  #list(list: readonly JsonValue[], keep: (item: JsonValue) => Kept): JsonValue[] {
    return list.map(keep).filter((item) => item !== GONE);
  }

  #members(object: JsonObject, keep: (name: string, member: JsonValue) => Kept): JsonObject {
    const out: JsonObject = {};
    for (const [name, member] of Object.entries(object)) {
      const kept = keep(name, member);
      if (kept !== GONE) out[name] = kept;
    }
    return out;
  }
}

/** Applies a step to every part that is still there. */
function each(parts: readonly Kept[], step: (value: JsonValue) => Kept): Kept[] {
  return parts.map((part) => (part === GONE ? GONE : step(part)));
}

/** A text block whose text is JSON, with the value in it. */
interface JsonBlock {
  readonly text: string;
  readonly value: JsonValue;
}

function jsonBlocks(content: JsonValue | undefined): JsonBlock[] {
  return (Array.isArray(content) ? content : []).flatMap((block) => {
    if (!isJsonObject(block) || block["type"] !== "text" || typeof block["text"] !== "string") return [];
    const { text } = block;
    const read = readTextContent(text);
    return read.kind === "json" ? [{ text, value: read.value }] : [];
  });
}

/** What of a result fields can be told apart in. */
function partsOf(result: JsonObject, blocks: readonly JsonBlock[]): Kept[] {
  const { structuredContent } = result;
  return [structuredContent === undefined ? GONE : structuredContent, ...blocks.map((block) => block.value)];
}

/** A redacted text block; the text stays as it was written when nothing in it was taken out. */
function blockOf(before: JsonBlock, after: JsonValue): JsonObject {
  const written = writeTextContent(after);
  return { type: "text", text: written === writeTextContent(before.value) ? before.text : written };
}

/**
 * Takes the named fields out of a result, wherever they stand in structured content or JSON texts, and with
 * them every text or number that repeats one of their values of {@link MIN_ECHO_LENGTH} characters or more.
 *
 * Only what fields can be told apart in is kept: `structuredContent`, `isError`, and text blocks that are JSON.
 * Prose, images, audio, resources and everything else is withheld, as nothing says which part of it a field is.
 *
 * @param received the result as the tool sent it: a field that left with the surplus has a value to look for as well
 * @throws CmcpError `RESPONSE_SIZE_EXCEEDED` for a result that takes too long to redact
 */
export function redactResult(result: JsonObject, rules: RedactRules, received: JsonObject): Redacted {
  const { content, isError } = result;
  const redaction = Redaction.knowing(rules, partsOf(received, jsonBlocks(received["content"])));
  const blocks = jsonBlocks(content);
  const before = partsOf(result, blocks);
  const withoutFields = each(before, (value) => redaction.fields(value, "", 0));
  const [structured, ...values] = each(withoutFields, (value) => redaction.echoes(value));
  const kept = blocks.flatMap((block, index) => {
    const value = values[index];
    return value === undefined || value === GONE ? [] : [blockOf(block, value)];
  });
  const withheld = (Array.isArray(content) ? content.length : 0) - kept.length;
  const others = Object.keys(result).filter((name) => !READABLE.has(name)).length;
  const out: JsonObject = {};
  if (content !== undefined) out["content"] = kept;
  if (structured !== undefined && structured !== GONE) out["structuredContent"] = structured;
  if (isError !== undefined) out["isError"] = isError;
  return { result: out, redacted: redaction.count + withheld + others, withheld };
}
