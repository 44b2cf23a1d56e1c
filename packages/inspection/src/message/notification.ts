import type { JsonObject } from "@cmcp/boundary";
import { removeLookAlikes } from "../result/look-alike.ts";
import type { SayingTerms } from "./question.ts";

/** What a notification says before the result, without what poses as the gateway's; where text is withheld, only how far the work is (MCP, "Progress"). */
export function inspectNotification(params: JsonObject, { withholdText }: SayingTerms): JsonObject {
  if (!withholdText) return removeLookAlikes(params, []);
  return Object.fromEntries(
    ["progress", "total"].flatMap((name) => (typeof params[name] === "number" ? [[name, params[name]]] : [])),
  );
}
