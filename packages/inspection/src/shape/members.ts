import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** Takes the paths of members that a shape does not have, or not like this; `_meta` is not noted, as none of a server's passes. */
export type Surplus = string[];

/** Rebuilds a value of a closed shape; `undefined` for one that does not have it. */
export type Shape = (value: JsonValue | undefined, at: string, surplus: Surplus) => JsonValue | undefined;

/** A string of a bounded length, in UTF-16 units. */
export function text(longest: number): Shape {
  return (value) => (typeof value === "string" && value.length <= longest ? value : undefined);
}

/** One of some strings. */
export function word(...words: readonly string[]): Shape {
  return (value) => (typeof value === "string" && words.includes(value) ? value : undefined);
}

/** A finite number within bounds. */
export function number(least = -Number.MAX_VALUE, most = Number.MAX_VALUE): Shape {
  return (value) => (typeof value === "number" && value >= least && value <= most ? value : undefined);
}

/** An integer that is exact, within bounds. */
export function integer(least = 0, most = Number.MAX_SAFE_INTEGER): Shape {
  return (value) => (Number.isSafeInteger(value) ? number(least, most)(value, "", []) : undefined);
}

export const flag: Shape = (value) => (typeof value === "boolean" ? value : undefined);

// RFC 4648 section 4.
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Bytes in base64, padded. */
export const base64: Shape = (value) =>
  typeof value === "string" && value.length % 4 === 0 && BASE64.test(value) ? value : undefined;

const LONGEST_URI = 8_192;
const LONGEST_MIME_TYPE = 255;

/** A URI: characters of RFC 3986 and of its successors, none of them a space or a control character. */
export const uri: Shape = (value) =>
  typeof value === "string" && value !== "" && value.length <= LONGEST_URI && !/[\s\p{Cc}]/u.test(value)
    ? value
    : undefined;

/** A media type (RFC 6838), as printable ASCII. */
export const mimeType: Shape = (value) =>
  typeof value === "string" && value.length <= LONGEST_MIME_TYPE && /^[\x20-\x7e]+$/.test(value) ? value : undefined;

/** An array of one shape; one item that does not have it spoils the whole. */
export function list(item: Shape, most: number): Shape {
  return (value, at, surplus) => {
    if (!Array.isArray(value) || value.length > most) return undefined;
    const out: JsonValue[] = [];
    for (const [index, one] of value.entries()) {
      const read = item(one, `${at}[${index}]`, surplus);
      if (read === undefined) return undefined;
      out.push(read);
    }
    return out;
  };
}

/** An object with the members named and no other. An optional one that does not have its shape is left out. */
export function members(
  required: Readonly<Record<string, Shape>>,
  optional: Readonly<Record<string, Shape>> = {},
): (value: JsonValue | undefined, at: string, surplus: Surplus) => JsonObject | undefined {
  return (value, at, surplus) => {
    if (!isJsonObject(value)) return undefined;
    const path = (name: string): string => (at === "" ? name : `${at}.${name}`);
    const out: JsonObject = {};
    for (const [name, shape] of [...Object.entries(required), ...Object.entries(optional)]) {
      const read = Object.hasOwn(value, name) ? shape(value[name], path(name), surplus) : undefined;
      if (read !== undefined) out[name] = read;
      else if (Object.hasOwn(required, name)) return undefined;
    }
    for (const name of Object.keys(value)) if (!Object.hasOwn(out, name) && name !== "_meta") surplus.push(path(name));
    return out;
  };
}

/** The first shape that a value has. */
export function either(...shapes: readonly Shape[]): Shape {
  return (value, at, surplus) => {
    for (const shape of shapes) {
      const own: Surplus = [];
      const read = shape(value, at, own);
      if (read === undefined) continue;
      surplus.push(...own);
      return read;
    }
    return undefined;
  };
}
