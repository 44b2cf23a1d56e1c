import process from "node:process";
import type { JsonObject } from "@cmcp/boundary";
import { DEFAULT_ADMISSION } from "../access/admission.ts";
import { MAX_TASKS } from "../call/tasks.ts";
import type { Core } from "../boot/core.ts";
import { MAX_LISTENERS } from "../access/listeners.ts";
import { MAX_FOLLOWED_STREAMS } from "../servers/subscriptions.ts";

/** What is under way in this instance, each beside its bound: counts over all principals, and nothing of any of them. */
export function load({ admission, listeners, subscriptions, tasks, upstreams, buffered }: Core): JsonObject {
  const { maxRunning, maxPerPrincipal, maxQuestions } = DEFAULT_ADMISSION;
  return {
    requests: {
      running: admission.running,
      waiting: admission.waiting,
      max_running: maxRunning,
      max_per_principal: maxPerPrincipal,
    },
    questions: { open: admission.questions, max: maxQuestions },
    agent_streams: { open: listeners.size, max: MAX_LISTENERS },
    followed_resources: subscriptions.size,
    followed_streams: { open: subscriptions.streams, max: MAX_FOLLOWED_STREAMS },
    tasks: { kept: tasks.size, max: MAX_TASKS },
    servers: { ...upstreams.load },
    buffered_bytes: { held: buffered.held, max: buffered.max },
    memory_bytes: process.memoryUsage.rss(),
  };
}
