import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { MAX_NAME } from "../protocol/values.ts";
import { invalidParams } from "./refusal.ts";

/** `params._meta.progressToken`, or `null` when no progress is wanted (MCP, "Progress"). No server is told of it. */
export function readProgressToken({ _meta: meta }: JsonObject): string | number | null {
  const token = isJsonObject(meta) ? meta.progressToken : undefined;
  if (token === undefined) return null;
  if (typeof token === "string" && token.length <= MAX_NAME) return token;
  if (typeof token === "number" && Number.isSafeInteger(token)) return token;
  throw invalidParams("progressToken must be a string or an integer");
}
