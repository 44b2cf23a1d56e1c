import { CmcpError, isJsonObject, parseJsonText, type JsonLimits, type JsonValue } from "@cmcp/boundary";

/** A member of a JSON object: its value, and the exact text that value was written in. */
export interface JsonMember {
  readonly value: JsonValue;
  readonly text: string;
}

/**
 * Reads JSON text as an object and keeps each member's own text. Intel signs the bytes of one member of its
 * answers; writing the parsed value out again need not give the same bytes.
 *
 * @throws CmcpError as the strict JSON parser (duplicate keys, for example), `JSON_SYNTAX` for anything but an object.
 */
export function jsonMembers(text: string, limits: JsonLimits): ReadonlyMap<string, JsonMember> {
  const document = parseJsonText(text, limits);
  if (!isJsonObject(document)) throw new CmcpError("JSON_SYNTAX", "not a JSON object");
  const members = new Map<string, JsonMember>();
  for (const [key, own] of memberTexts(text)) members.set(key, { value: document[key] ?? null, text: own });
  return members;
}

function memberName(quoted: string): string {
  const name = parseJsonText(quoted);
  if (typeof name !== "string") throw new CmcpError("JSON_SYNTAX", "the name of a member is not a string");
  return name;
}

/** Splits the outermost object. The strict parser accepted the text, so only strings and nesting are followed. */
function* memberTexts(text: string): Generator<[key: string, text: string]> {
  let depth = 0;
  let key: string | undefined;
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text[at];
    if (unit === '"') {
      const end = stringEnd(text, at);
      if (depth === 1 && key === undefined) key = memberName(text.slice(at, end));
      at = end - 1;
    } else if (unit === "{" || unit === "[") depth += 1;
    else if (unit === ":" && depth === 1) start = at + 1;
    else if (unit === "}" || unit === "]" || (unit === "," && depth === 1)) {
      if (depth === 1 && key !== undefined) {
        yield [key, text.slice(start, at).trim()];
        key = undefined;
      }
      if (unit !== ",") depth -= 1;
    }
  }
}

/** The index behind the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}
