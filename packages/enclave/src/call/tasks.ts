import { randomBytes } from "node:crypto";
import { CmcpError, SharedSlots, canonicalText } from "@cmcp/boundary";
import { isFinal, type AgentRequest, type TaskState } from "@cmcp/mcp";
import type { SessionRef } from "../servers/server-session.ts";
import type { PendingQuestions } from "./pending-questions.ts";

/** Most tasks of one session, and of all sessions together. */
const MAX_PER_SESSION = 64;
export const MAX_TASKS = 1_024;
/** Most bytes of arguments of a call that becomes a task. They are kept with the task, to decide requests about it. */
const MAX_ARGUMENT_BYTES = 65_536;
/** Longest time a task is kept, in milliseconds. */
export const MAX_TTL_MS = 86_400_000;
const ID_BYTES = 24;

/** The approvals that let a call through. */
export interface CallApproval {
  /** Joined by commas. */
  readonly ids: string;
  /** The refusals that they lifted. */
  readonly rules: ReadonlySet<string>;
  /** The policy and the catalog under which they did. */
  readonly policyHash: string;
  readonly catalogHash: string;
}

/** A call that became a task at its server. */
export interface Task {
  /** The gateway's id for the agent: random, and valid in one session only. */
  readonly id: string;
  /** The server's id. */
  readonly upstreamId: string;
  /** The call that made the task. Requests about the task are decided as this call. */
  readonly call: Pick<AgentRequest, "name" | "arguments" | "workflowId">;
  /** What let that call through; absent where it needed no approval. */
  readonly approval?: CallApproval;
  /** The latest state that the agent got. */
  readonly state: TaskState;
  /** The server's open questions. */
  readonly questions: PendingQuestions;
  /** Whether the server was asked to cancel the task, which happens once. */
  readonly cancelled: boolean;
}

/** Room for the task that a call may become. */
export interface TaskReservation {
  /** Stores the task. @returns the task with the gateway's id */
  commit(state: TaskState): Task;
  /** Gives the room back if the call did not become a task. */
  release(): void;
}

interface StoredTask {
  task: Task | null;
  readonly since: number;
  until: number;
  /** Gives the task's slot back. */
  readonly releaseSlot: () => void;
}

/**
 * The tasks of all sessions. A task is found only in its own session. A wrong id looks the same whether the task belongs to another
 * session, has expired or never existed.
 */
export class Tasks {
  readonly #now: () => number;
  readonly #sessions = new Map<string, Map<string, StoredTask>>();
  /** Slots of all sessions, shared fairly between principals. */
  readonly #slots = new SharedSlots(MAX_TASKS);

  /** @param now monotonic milliseconds: the host does not set this clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Number of stored tasks. */
  get size(): number {
    return this.#slots.taken;
  }

  /**
   * Reserves room before the call is sent. If the session is full, a finished task is dropped for it.
   * @param approval what lets the call through; absent where it needs no approval
   * @throws CmcpError `OVERLOADED`; `MCP_INVALID_REQUEST` for arguments of more than 64 KiB
   */
  reserve({ id: session, principalId }: SessionRef, call: Task["call"], approval?: CallApproval): TaskReservation {
    if (new TextEncoder().encode(canonicalText(call.arguments)).byteLength > MAX_ARGUMENT_BYTES)
      throw new CmcpError(
        "MCP_INVALID_REQUEST",
        `the arguments of a call that becomes a task have at most ${MAX_ARGUMENT_BYTES} bytes`,
        { detail: { sent: 0 } },
      );
    this.#expire();
    const tasks = this.#sessions.get(session) ?? new Map<string, StoredTask>();
    if (tasks.size >= MAX_PER_SESSION) this.#dropFinished(session, tasks);
    if (tasks.size >= MAX_PER_SESSION)
      throw new CmcpError("OVERLOADED", `a session may have at most ${MAX_PER_SESSION} tasks`, { detail: { sent: 0 } });
    const id = randomBytes(ID_BYTES).toString("base64url");
    const releaseSlot = this.#slots.take(principalId, "tasks");
    const stored: StoredTask = { task: null, since: this.#now(), until: Infinity, releaseSlot };
    tasks.set(id, stored);
    this.#sessions.set(session, tasks);
    return {
      commit: (state) => {
        const visibleState = visibleTask(id, state);
        stored.until = stored.since + (visibleState.ttlMs ?? MAX_TTL_MS);
        stored.task = {
          id,
          upstreamId: state.taskId,
          call: { name: call.name, arguments: call.arguments, workflowId: call.workflowId },
          ...(approval === undefined ? {} : { approval }),
          state: visibleState,
          questions: {},
          cancelled: false,
        };
        return stored.task;
      },
      release: () => {
        if (stored.task === null) this.#drop(session, id);
      },
    };
  }

  /** A task of the session; `undefined` for any other id. */
  find(session: string, id: string): Task | undefined {
    this.#expire();
    return this.#sessions.get(session)?.get(id)?.task ?? undefined;
  }

  /**
   * Stores a new state of a task.
   * @param questions replace the earlier ones; a cancelled task keeps none
   * @returns the state for the agent
   */
  update(session: string, { id }: Task, serverState: TaskState, questions: PendingQuestions = {}): TaskState {
    const visibleState = visibleTask(id, serverState);
    this.#change(session, id, (stored, task) => {
      stored.until = stored.since + (visibleState.ttlMs ?? MAX_TTL_MS);
      stored.task = { ...task, state: visibleState, questions: task.cancelled ? {} : questions };
    });
    return visibleState;
  }

  /** Removes questions that were answered. */
  removeQuestions(session: string, { id }: Task, ids: readonly string[]): void {
    this.#change(session, id, (stored, task) => {
      const open = Object.entries(task.questions).filter(([asked]) => !ids.includes(asked));
      stored.task = { ...task, questions: Object.fromEntries(open) };
    });
  }

  /** Marks a task as cancelled, or not if the server could not be asked. Its questions are dropped. */
  setCancelled(session: string, { id }: Task, cancelled: boolean): void {
    this.#change(session, id, (stored, task) => {
      stored.task = { ...task, cancelled, questions: {} };
    });
  }

  #change(session: string, id: string, change: (stored: StoredTask, task: Task) => void): void {
    const stored = this.#sessions.get(session)?.get(id);
    if (stored?.task != null) change(stored, stored.task);
  }

  /** A session's tasks, oldest first. */
  list(session: string): readonly TaskState[] {
    this.#expire();
    // Without the server's status text, which no decision covers here.
    return [...(this.#sessions.get(session)?.values() ?? [])].flatMap(({ task }) =>
      task === null ? [] : [{ ...task.state, statusMessage: null }],
    );
  }

  /** Drops the tasks of a session. */
  forget(session: string): void {
    for (const { releaseSlot } of this.#sessions.get(session)?.values() ?? []) releaseSlot();
    this.#sessions.delete(session);
  }

  #dropFinished(session: string, tasks: ReadonlyMap<string, StoredTask>): void {
    const ended = [...tasks].find(([, { task }]) => task !== null && isFinal(task.state));
    if (ended !== undefined) this.#drop(session, ended[0]);
  }

  #expire(): void {
    const now = this.#now();
    for (const [session, tasks] of this.#sessions) {
      for (const [id, { until }] of tasks) if (until <= now) this.#drop(session, id);
    }
  }

  #drop(session: string, id: string): void {
    const tasks = this.#sessions.get(session);
    const stored = tasks?.get(id);
    if (tasks === undefined || stored === undefined) return;
    tasks.delete(id);
    stored.releaseSlot();
    if (tasks.size === 0) this.#sessions.delete(session);
  }
}

/** The state for the agent: the gateway's id, and at most the gateway's time to live. */
function visibleTask(id: string, state: TaskState): TaskState {
  return { ...state, taskId: id, ttlMs: Math.min(state.ttlMs ?? MAX_TTL_MS, MAX_TTL_MS) };
}

/** The call that made a task, which policy decides in place of a request about the task. */
export function callThatMadeTask({ call }: Task, request: AgentRequest): AgentRequest {
  const { name, arguments: args, workflowId } = call;
  return { ...request, method: "tools/call", name, arguments: args, workflowId: request.workflowId ?? workflowId };
}
