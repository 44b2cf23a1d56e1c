import assert from "node:assert/strict";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { inspectArguments, prepareSchemas, type InspectedTool } from "../index.ts";

/** A tool whose catalog entry allows additional arguments, so that its schema alone decides. */
export const tool = (inputSchema: JsonObject): InspectedTool => ({
  toolName: "t",
  inputSchema,
  outputSchema: null,
  additionalArguments: true,
});
/** Why arguments are refused, which is never without a reason; an empty text where they are accepted. */
const reason = (checked: ReturnType<typeof inspectArguments>): string => {
  if (checked.ok) return "";
  assert.notEqual(checked.why, "");
  return checked.why;
};
/** What is said of arguments where the schema is read as closed. */
export const closed = (inputSchema: JsonObject, args: JsonObject): string => {
  return reason(inspectArguments({ toolName: "t", inputSchema, outputSchema: null }, args));
};
/** Why arguments under a schema read as closed are refused. */
export const UNDECLARED = "an argument is not declared in the schema";
export const UNTYPED = "an argument has no type in the schema";
/** Whether the schema alone accepts the arguments. */
export const accepts = (schema: JsonObject, args: JsonObject): boolean => inspectArguments(tool(schema), args).ok;
/** The first reason for which the schema alone refuses the arguments, or an empty text. */
export const why = (schema: JsonObject, args: JsonObject): string => {
  return reason(inspectArguments(tool(schema), args));
};
/** Asserts that a catalog with this schema is refused when it loads, with this message. */
export const refused = (schema: JsonObject, message: RegExp): void => {
  assert.throws(
    () => prepareSchemas(tool(schema)),
    (thrown) =>
      thrown instanceof Error && "code" in thrown && thrown.code === "CATALOG_INVALID" && message.test(thrown.message),
    JSON.stringify(schema).slice(0, 200),
  );
};
/** A schema of an object whose property `a` has another schema. */
export const property = (schema: JsonValue): JsonObject => ({ type: "object", properties: { a: schema } });
