import process from "node:process";
import type { BufferedBytes, JsonObject } from "@cmcp/boundary";
import { DEFAULT_ADMISSION, type Admission } from "../access/admission.ts";
import { MAX_TASKS, type Tasks } from "../call/tasks.ts";
import { MAX_LISTENERS, type Listeners } from "../access/listeners.ts";
import { MAX_FOLLOWED_STREAMS, type Subscriptions } from "../servers/subscriptions.ts";
import type { Upstreams } from "../servers/upstreams.ts";

/** What counts what is under way. */
export interface LoadParts {
  readonly admission: Pick<Admission, "running" | "waiting" | "questions">;
  readonly listeners: Pick<Listeners, "size">;
  readonly subscriptions: Pick<Subscriptions, "size" | "streams">;
  readonly tasks: Pick<Tasks, "size">;
  readonly upstreams: Pick<Upstreams, "load">;
  readonly buffered: Pick<BufferedBytes, "held" | "max">;
}

/** What is under way in this instance, each beside its bound: counts over all principals, and nothing of any of them. */
export function load({ admission, listeners, subscriptions, tasks, upstreams, buffered }: LoadParts): JsonObject {
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
