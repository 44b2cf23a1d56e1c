import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { hasFormat } from "../schema/formats.ts";

/** Longest text of one field. */
const MAX_FIELD_TEXT = 65_536;

const texts = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);
/** Values of titled choices (MCP 2025-11-25 "TitledSingleSelectEnumSchema"). */
const consts = (value: JsonValue | undefined): readonly JsonValue[] | null =>
  Array.isArray(value)
    ? value.flatMap((one) => (isJsonObject(one) && one["const"] !== undefined ? [one["const"]] : []))
    : null;

const within = (size: number, least: JsonValue | undefined, most: JsonValue | undefined): boolean =>
  (typeof least !== "number" || size >= least) && (typeof most !== "number" || size <= most);

function isText(value: JsonValue, { minLength, maxLength, format, enum: listed, oneOf }: JsonObject): boolean {
  if (typeof value !== "string" || value.length > MAX_FIELD_TEXT) return false;
  const choices = listed === undefined ? consts(oneOf) : texts(listed);
  return (
    within(Array.from(value).length, minLength, maxLength) &&
    (choices === null || choices.includes(value)) &&
    (typeof format !== "string" || hasFormat(value, format))
  );
}

function isChoice(value: JsonValue, { items, minItems, maxItems }: JsonObject): boolean {
  const choices = isJsonObject(items) ? (consts(items["anyOf"]) ?? texts(items["enum"])) : [];
  return (
    Array.isArray(value) &&
    within(value.length, minItems, maxItems) &&
    new Set(value).size === value.length &&
    value.every((one) => choices.includes(one))
  );
}

/** Whether a value is what a field of a form asks for, by the field's type. */
const FITS: Readonly<Record<string, (value: JsonValue, field: JsonObject) => boolean>> = {
  string: isText,
  number: (value, { minimum, maximum }) => typeof value === "number" && within(value, minimum, maximum),
  integer: (value, { minimum, maximum }) => Number.isInteger(value) && within(Number(value), minimum, maximum),
  boolean: (value) => typeof value === "boolean",
  array: isChoice,
};

function fits(value: JsonValue, field: JsonObject): boolean {
  const { type } = field;
  return typeof type === "string" && Object.hasOwn(FITS, type) && FITS[type]?.(value, field) === true;
}

/**
 * What was filled into a form: the fields that were asked for, each as it was asked for; `null` when one is missing,
 * unasked or otherwise.
 */
export function readFormAnswer(schema: JsonValue | undefined, content: JsonValue | undefined): JsonObject | null {
  if (!isJsonObject(schema) || !isJsonObject(schema["properties"]) || !isJsonObject(content)) return null;
  const { properties, required } = schema;
  const out: JsonObject = {};
  for (const [name, value] of Object.entries(content)) {
    const field = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (!isJsonObject(field) || !fits(value, field)) return null;
    out[name] = value;
  }
  return texts(required).every((name) => typeof name === "string" && Object.hasOwn(out, name)) ? out : null;
}
