import {
  MAX_DATA_BYTES,
  MAX_ERROR_MESSAGE,
  MAX_EXCHANGE_NUMBER,
  MAX_HEADERS,
  MAX_HEADERS_BYTES,
  MAX_HEADER_NAME,
  MAX_HEADER_VALUE,
  MAX_IDENTIFIER,
  MAX_TREE_PATH,
  MAX_LOG_SIZE,
  MAX_PATH,
} from "./limits.ts";

/** Whether one member of a frame has its documented form. */
type Member = (value: unknown) => boolean;

/** The members a kind of frame has besides `t`: all of `required`, any of `optional`, no others. */
interface Shape {
  readonly required: ReadonlyMap<string, Member>;
  readonly optional: ReadonlyMap<string, Member>;
}

function integer(least: number, most: number): Member {
  return (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
}

function text(maxLength: number, form: RegExp): Member {
  return (value) => typeof value === "string" && value.length <= maxLength && form.test(value);
}

const data: Member = (value) => value instanceof Uint8Array && value.length > 0 && value.length <= MAX_DATA_BYTES;
const identifier = text(MAX_IDENTIFIER, /^[A-Za-z0-9._:-]+$/);
// RFC 9110 section 5.1 token, lower case; section 5.5 values as visible Latin-1, space and tab.
const headerName = text(MAX_HEADER_NAME, /^[a-z0-9!#$%&'*+.^_`|~-]+$/);
const headerValue = text(MAX_HEADER_VALUE, /^[\t\x20-\x7e\x80-\xff]*$/);

/** A place in the log, or its size. */
const place = integer(0, MAX_LOG_SIZE);

const headers: Member = (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array) return false;
  let count = 0;
  let bytes = 0;
  for (const [name, content] of Object.entries(value as Readonly<Record<string, unknown>>)) {
    if (!headerName(name) || !headerValue(content)) return false;
    count += 1;
    bytes += name.length + Buffer.byteLength(content as string);
  }
  return count <= MAX_HEADERS && bytes <= MAX_HEADERS_BYTES;
};

function shape(required: Readonly<Record<string, Member>>, optional: Readonly<Record<string, Member>> = {}): Shape {
  return {
    required: new Map(Object.entries({ x: integer(1, MAX_EXCHANGE_NUMBER), ...required })),
    optional: new Map(Object.entries(optional)),
  };
}

/** What may open an exchange, by `t`. */
export const OPENINGS: ReadonlyMap<string, Shape> = new Map([
  ["launch", shape({})],
  ["provision", shape({})],
  ["reload", shape({})],
  ["drain", shape({})],
  ["request", shape({ method: text(16, /^[A-Z]+$/), path: text(MAX_PATH, /^\/[\x21-\x7e]*$/), headers })],
  ["egress", shape({ host: text(255, /^[a-z0-9._:[\]-]+$/), port: integer(1, 65_535) })],
  ["append", shape({ first: place })],
  ["head", shape({})],
  ["scan", shape({}, { from: place, to: place, session: identifier, kind: identifier })],
  ["range", shape({ size: place })],
  ["prove", shape({ index: place, size: place })],
  ["cosign", shape({})],
  ["tree", shape({ tree: text(MAX_TREE_PATH, /^\/\P{Cc}+$/u) })],
]);

const SHAPES: ReadonlyMap<unknown, Shape> = new Map([
  ...OPENINGS,
  ["response", shape({ status: integer(200, 599), headers })],
  ["body", shape({ data })],
  ["end", shape({})],
  ["error", shape({ code: text(64, /^[A-Z][A-Z0-9_]*$/), message: text(MAX_ERROR_MESSAGE, /^\P{Cc}*$/u) })],
]);

/** Why a decoded map is not a frame, without any text of the sender; `null` for a frame. */
export function frameProblem(map: Readonly<Record<string, unknown>>): string | null {
  const known = SHAPES.get(map["t"]);
  if (known === undefined) return "unknown type";
  let required = 0;
  for (const [name, value] of Object.entries(map)) {
    if (name === "t" || value === undefined) continue;
    const must = known.required.get(name);
    const member = must ?? known.optional.get(name);
    if (member === undefined) return "an unknown member";
    if (!member(value)) return `bad ${name}`;
    if (must !== undefined) required += 1;
  }
  return required === known.required.size ? null : "a missing member";
}
