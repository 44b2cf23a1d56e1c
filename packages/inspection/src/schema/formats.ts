import { format as library } from "@cfworker/json-schema";
import type { JsonObject } from "@cmcp/boundary";
import { LinearPattern } from "./pattern/linear-pattern.ts";
import { beginWork, spend } from "./work.ts";

// RFC 3986: every stretch ends at a character that it cannot hold, so that there is one way to read a URI.
const PERCENT = "%[0-9A-Fa-f]{2}";
const SCHEME = "[A-Za-z][A-Za-z0-9+.-]*:";
const AUTHORITY = `//(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|\\[[0-9A-Fa-f:.vV]*\\]|${PERCENT})*`;
const PATH_CHARACTER = `(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|${PERCENT})`;
const REST = `(?:\\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|${PERCENT})*)?(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|${PERCENT})*)?`;
const HIERARCHY = `(?:${AUTHORITY}(?:/${PATH_CHARACTER}*)*|(?:/(?:${PATH_CHARACTER}+(?:/${PATH_CHARACTER}*)*)?|${PATH_CHARACTER}+(?:/${PATH_CHARACTER}*)*)?)`;
const FIRST_SEGMENT = `(?:[A-Za-z0-9._~!$&'()*+,;=@-]|${PERCENT})`;
const RELATIVE = `(?:${AUTHORITY}(?:/${PATH_CHARACTER}*)*|(?:/(?:${PATH_CHARACTER}+(?:/${PATH_CHARACTER}*)*)?|${FIRST_SEGMENT}+(?:/${PATH_CHARACTER}*)*)?)`;
// RFC 6570 section 2.
const VARIABLE = `(?:[A-Za-z0-9_]|${PERCENT})+(?:\\.(?:[A-Za-z0-9_]|${PERCENT})+)*(?::[1-9][0-9]{0,3}|\\*)?`;

/** Formats whose grammar the library matches by expressions that can backtrack; the linear engine matches them here. */
const PATTERNS: Readonly<Record<string, string>> = {
  uri: `^${SCHEME}${HIERARCHY}${REST}$`,
  "uri-reference": `^(?:${SCHEME}${HIERARCHY}|${RELATIVE})${REST}$`,
  url: `^(?:[hH][tT][tT][pP][sS]?|[fF][tT][pP])://(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|\\[[0-9A-Fa-f:.vV]*\\]|${PERCENT})+(?:/${PATH_CHARACTER}*)*${REST}$`,
  "uri-template": `^(?:[^\\x00-\\x20\\x7f"<>%\\\\^\`{|}]|${PERCENT}|\\{[+#./;?&=,!@|]?${VARIABLE}(?:,${VARIABLE})*\\})*$`,
  "json-pointer": "^(?:/(?:[^~/]|~0|~1)*)*$",
  "json-pointer-uri-fragment": `^#(?:/(?:[A-Za-z0-9_.!$&'()*+,;:=@-]|${PERCENT}|~0|~1)*)*$`,
  "relative-json-pointer": "^(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~0|~1)*)*)$",
};

/** Formats that the library reads in time bounded by their longest text, which is given, in UTF-16 units. */
const LONGEST: Readonly<Record<string, number>> = {
  date: 10,
  time: 64,
  "date-time": 64,
  duration: 64,
  email: 320,
  hostname: 253,
  ipv4: 15,
  ipv6: 45,
  regex: 1024,
  uuid: 36,
};

const own = (name: string): string => `bounded ${name}`;

for (const [name, longest] of Object.entries(LONGEST)) {
  const read = library[name];
  if (read === undefined) throw new Error(`the schema library has no format ${name}`);
  library[own(name)] = (text) => {
    spend(1);
    return text.length <= longest && read(text);
  };
}
for (const [name, source] of Object.entries(PATTERNS)) {
  const pattern = LinearPattern.read(source);
  if (typeof pattern === "string") throw new Error(`format ${name} ${pattern}`);
  library[own(name)] = (text) => pattern.test(text);
}

/** The format that asserts what one of a schema's does; `null` for a format that is an annotation only. */
export function formatOf(format: string): string | null {
  return Object.hasOwn(PATTERNS, format) || Object.hasOwn(LONGEST, format) ? own(format) : null;
}

/** Whether a text has a format of the specification. What is not read here has none. */
export function hasFormat(text: string, format: string): boolean {
  const name = formatOf(format);
  beginWork();
  return name !== null && library[name]?.(text) === true;
}

/** A format of our own that asserts a pattern, so that the library does not match it itself. */
export function formatOfPattern(source: string, pattern: LinearPattern): string {
  const name = `pattern ${source}`;
  library[name] ??= (text) => pattern.test(text);
  return name;
}

/**
 * A subschema that asserts the length of a string. The library counts code points, with frozen intrinsics at several
 * calls each. A code point is one or two UTF-16 units, so a format of our own tells most lengths at once; what it
 * cannot tell is left to the library.
 */
export function lengthGuard({
  minLength = 0,
  maxLength = Number.MAX_SAFE_INTEGER,
}: {
  readonly minLength?: number;
  readonly maxLength?: number;
}): JsonObject {
  const name = `surely ${minLength} to ${maxLength} code points`;
  library[name] ??= (text) => text.length <= maxLength && text.length >= minLength * 2 - 1;
  return { if: { format: name }, else: { minLength, maxLength } };
}
