import { CmcpError, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** Statuses of a task, the same in both eras; the last three are final. */
export const TASK_STATUSES = ["working", "input_required", "completed", "failed", "cancelled"] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

/**
 * What is known of a task, whichever era it was said in (MCP 2025-11-25, Tasks, "Task"; Tasks extension 2026-07-28,
 * "Tasks"). Times are the server's word.
 */
export interface TaskState {
  readonly taskId: string;
  readonly status: TaskStatus;
  readonly statusMessage: string | null;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  /** Milliseconds from creation for which it is kept; `null` for without end. */
  readonly ttlMs: number | null;
  readonly pollIntervalMs: number | null;
}

/** Longest id of a server's task and longest message about it, in characters. */
const MAX_ID = 1_024;
const MAX_MESSAGE = 2_048;
/** RFC 3339 section 5.6, loosely: a date, a time, a zone; nothing else that could be shown to somebody. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT[\d:.]{5,18}(?:Z|[+-]\d\d:\d\d)$/;

function malformed(what: string): CmcpError {
  return new CmcpError("UPSTREAM_PROTOCOL_ERROR", `the tool server's task is not valid: ${what}`, {
    detail: { sent: 1 },
  });
}

function milliseconds(value: JsonValue | undefined, what: string): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw malformed(what);
  return value;
}

function timestamp(value: JsonValue | undefined, what: string): string {
  if (typeof value !== "string" || !TIMESTAMP.test(value)) throw malformed(what);
  return value;
}

/**
 * A task as a server of either era describes it; members it has no use for are left out. A message longer than
 * 2 048 characters is left out too, as half of one could say something else.
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR`
 */
export function readTask(value: JsonValue | undefined): TaskState {
  if (!isJsonObject(value)) throw malformed("it is not an object");
  const { taskId, statusMessage } = value;
  const status = TASK_STATUSES.find((known) => known === value.status);
  if (typeof taskId !== "string" || taskId === "" || taskId.length > MAX_ID) throw malformed("taskId");
  if (status === undefined) throw malformed("status");
  return {
    taskId,
    status,
    statusMessage: typeof statusMessage === "string" && statusMessage.length <= MAX_MESSAGE ? statusMessage : null,
    createdAt: timestamp(value.createdAt, "createdAt"),
    lastUpdatedAt: timestamp(value.lastUpdatedAt, "lastUpdatedAt"),
    ttlMs: milliseconds(value.ttlMs ?? value.ttl, "ttl"),
    pollIntervalMs: milliseconds(value.pollIntervalMs ?? value.pollInterval, "pollInterval"),
  };
}

/** True once a task changes no more. */
export function isFinal({ status }: Pick<TaskState, "status">): boolean {
  return status !== "working" && status !== "input_required";
}

function common({ taskId, status, statusMessage, createdAt, lastUpdatedAt }: TaskState): JsonObject {
  return { taskId, status, ...(statusMessage === null ? {} : { statusMessage }), createdAt, lastUpdatedAt };
}

/** A task in the words of MCP 2025-11-25. */
export function legacyTask(task: TaskState): JsonObject {
  return {
    ...common(task),
    ttl: task.ttlMs,
    ...(task.pollIntervalMs === null ? {} : { pollInterval: task.pollIntervalMs }),
  };
}

/** A task in the words of the Tasks extension. */
export function modernTask(task: TaskState): JsonObject {
  return {
    ...common(task),
    ttlMs: task.ttlMs,
    ...(task.pollIntervalMs === null ? {} : { pollIntervalMs: task.pollIntervalMs }),
  };
}
