import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { removeLookAlikes } from "../result/look-alike.ts";
import { MAX_DESCRIPTION, MAX_WORD } from "../shape/content.ts";
import { elicitationComplete } from "../shape/elicitation.ts";
import { members, number, text, word, type Shape } from "../shape/members.ts";
import type { MessageTerms } from "./question.ts";

const anything: Shape = (value) => value;
const measure = { total: number() };

/** How far the work is, in numbers; the token is the transport's (MCP 2025-11-25 "ProgressNotificationParams"). */
const wordless = members({ progress: number() }, measure);
/** RFC 5424 severities (MCP 2025-11-25 "LoggingLevel"). */
const level = word("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency");

/** What a server may tell an agent before the result. */
const NOTIFICATIONS: Readonly<Record<string, Shape>> = {
  "notifications/progress": members({ progress: number() }, { ...measure, message: text(MAX_DESCRIPTION) }),
  "notifications/message": members({ level, data: anything }, { logger: text(MAX_WORD) }),
  "notifications/elicitation/complete": elicitationComplete,
};

/**
 * What a notification says before the result, rebuilt from the shape that its method has; where text is withheld, only how far the work is.
 * @returns the parameters; `null` for what is not told
 */
export function inspectNotification(
  method: string,
  params: JsonObject,
  { withholdText }: MessageTerms,
): JsonObject | null {
  if (withholdText) return method === "notifications/progress" ? (wordless(params, "", []) ?? null) : null;
  const shape = Object.hasOwn(NOTIFICATIONS, method) ? NOTIFICATIONS[method] : undefined;
  const read = shape?.(params, "", []);
  return isJsonObject(read) ? removeLookAlikes(read, []) : null;
}
