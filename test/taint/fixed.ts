/** The id of every question that a result or task asks. */
export const QUESTION_ID = "question";

/** Times of every task: none of them is free. */
export const TASK_TIMES = {
  createdAt: "2026-08-01T00:00:00Z",
  lastUpdatedAt: "2026-08-01T00:00:00Z",
  ttl: 60_000,
  ttlMs: 60_000,
  pollInterval: 10,
} as const;
