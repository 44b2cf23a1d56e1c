import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { RELATED_TASK } from "./support.ts";

/** The task that a message says it belongs to, `null` when it says none. */
export function relatedTask(params: JsonObject | null): string | null {
  const meta = params?._meta;
  const related = isJsonObject(meta) ? meta[RELATED_TASK] : undefined;
  return isJsonObject(related) && typeof related.taskId === "string" ? related.taskId : null;
}

/** A message with the task that its receiver knows; with `null` it belongs to none. */
export function relatedTo(params: JsonObject, taskId: string | null): JsonObject {
  const { _meta: meta, ...rest } = params;
  const { [RELATED_TASK]: related, ...others } = isJsonObject(meta) ? meta : {};
  if (taskId === null && related === undefined) return params;
  return { ...rest, _meta: { ...others, ...(taskId === null ? {} : { [RELATED_TASK]: { taskId } }) } };
}
