import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { MAX_DESCRIPTION, MAX_WORD } from "./content.ts";
import { either, flag, integer, list, members, number, text, uri, word, type Shape } from "./members.ts";

/** Fields of one form, and choices of one field. */
const MAX_FIELDS = 64;
const MAX_CHOICES = 1_000;
/** Longest name of a field, and longest id of what happens at a URL. */
const MAX_NAME = 256;

const about = { title: text(MAX_WORD), description: text(MAX_DESCRIPTION) };
const choices = list(text(MAX_WORD), MAX_CHOICES);
const titled = list(members({ const: text(MAX_WORD), title: text(MAX_WORD) }), MAX_CHOICES);

/** Fields by their type (MCP 2025-11-25 "PrimitiveSchemaDefinition"). */
const FIELDS: Readonly<Record<string, Shape>> = {
  string: members(
    { type: word("string") },
    {
      ...about,
      minLength: integer(),
      maxLength: integer(),
      format: word("email", "uri", "date", "date-time"),
      default: text(MAX_DESCRIPTION),
      enum: choices,
      enumNames: choices,
      oneOf: titled,
    },
  ),
  number: members({ type: word("number") }, { ...about, minimum: number(), maximum: number(), default: number() }),
  integer: members({ type: word("integer") }, { ...about, minimum: number(), maximum: number(), default: number() }),
  boolean: members({ type: word("boolean") }, { ...about, default: flag }),
  array: members(
    {
      type: word("array"),
      items: either(members({ type: word("string"), enum: choices }), members({ anyOf: titled })),
    },
    { ...about, minItems: integer(), maxItems: integer(), default: choices },
  ),
};

const field: Shape = (value, at, surplus) => {
  const type = isJsonObject(value) ? value["type"] : undefined;
  return typeof type === "string" && Object.hasOwn(FIELDS, type) ? FIELDS[type]?.(value, at, surplus) : undefined;
};

/** The fields of a form by their names. */
const fields: Shape = (value, at, surplus) => {
  if (!isJsonObject(value)) return undefined;
  const entries = Object.entries(value);
  if (entries.length > MAX_FIELDS) return undefined;
  const out: JsonObject = {};
  for (const [name, schema] of entries) {
    const read = field(schema, `${at}.${name}`, surplus);
    if (read === undefined || name === "__proto__" || name.length > MAX_NAME) return undefined;
    out[name] = read;
  }
  return out;
};

const form = members(
  {
    message: text(MAX_DESCRIPTION),
    requestedSchema: members(
      { type: word("object"), properties: fields },
      { required: list(text(MAX_NAME), MAX_FIELDS) },
    ),
  },
  { mode: word("form") },
);

/** A URL to which the person is sent (MCP 2025-11-25 "ElicitRequestURLParams"). */
export const urlElicitation = members({
  mode: word("url"),
  message: text(MAX_DESCRIPTION),
  url: uri,
  elicitationId: text(MAX_NAME),
});

/** A server's question to the person (MCP 2025-11-25 "ElicitRequestParams"). */
export const elicitationQuestion: Shape = (value, at, surplus) =>
  isJsonObject(value) && value["mode"] === "url" ? urlElicitation(value, at, surplus) : form(value, at, surplus);

/** That what happened at a URL is over (MCP 2025-11-25 "ElicitationCompleteNotification"). */
export const elicitationComplete = members({ elicitationId: text(MAX_NAME) });
