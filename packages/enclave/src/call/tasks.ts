import { randomBytes } from "node:crypto";
import { CmcpError, SharedSlots, canonicalText } from "@cmcp/boundary";
import { isFinal, type AgentRequest, type TaskState } from "@cmcp/mcp";
import type { SessionRef } from "../servers/upstreams.ts";
import type { PendingQuestions } from "./pending-questions.ts";

/** Tasks one session may have, and all sessions together. */
const MAX_PER_SESSION = 64;
export const MAX_TASKS = 1_024;
/** Bytes of the arguments of a call that becomes a task: they are kept as long as it is, to decide what is asked of it. */
const MAX_ARGUMENT_BYTES = 65_536;
/** The longest a task is kept, in milliseconds, whatever its server says. */
export const MAX_TTL_MS = 86_400_000;
const ID_BYTES = 24;

/** A call that became a task at its server. */
export interface Task {
  /** What the agent calls it: random, and good in one session only. */
  readonly id: string;
  /** What its server calls it. */
  readonly upstreamId: string;
  /** The call it was made by; what is asked of the task later is decided as this call. */
  readonly call: Pick<AgentRequest, "name" | "arguments" | "workflowId">;
  /** As the agent was last told. */
  readonly state: TaskState;
  /** The questions of its server that wait for answers. */
  readonly questions: PendingQuestions;
  /** Whether its server was asked to cancel it, which happens once. */
  readonly cancelled: boolean;
}

/** A place for the task that a call may become. */
export interface TaskReservation {
  /** @returns the task as the agent is to be told of it */
  commit(state: TaskState): Task;
  /** Gives the place back when the call became no task. */
  release(): void;
}

interface StoredTask {
  task: Task | null;
  readonly since: number;
  until: number;
  /** Gives the slot back that the task takes. */
  readonly releaseSlot: () => void;
}

/**
 * The tasks of all sessions. A task is found by its id in its own session and nowhere else: another principal's, another
 * session's, an ended and an invented id are the same.
 */
export class Tasks {
  readonly #now: () => number;
  readonly #sessions = new Map<string, Map<string, StoredTask>>();
  /** Of all sessions together, each principal with its share. */
  readonly #slots = new SharedSlots(MAX_TASKS);

  /** @param now monotonic milliseconds: the host does not set this clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Tasks kept now. */
  get size(): number {
    return this.#slots.taken;
  }

  /**
   * Takes a place for what a call may become, before the call leaves. A task that has ended gives way to it.
   * @throws CmcpError `OVERLOADED`; `MCP_INVALID_REQUEST` for arguments that are too large to keep
   */
  reserve({ id: session, principalId }: SessionRef, call: Task["call"]): TaskReservation {
    if (new TextEncoder().encode(canonicalText(call.arguments)).byteLength > MAX_ARGUMENT_BYTES)
      throw new CmcpError(
        "MCP_INVALID_REQUEST",
        `a call that becomes a task may have ${MAX_ARGUMENT_BYTES} bytes of arguments`,
        { detail: { sent: 0 } },
      );
    this.#expire();
    const tasks = this.#sessions.get(session) ?? new Map<string, StoredTask>();
    if (tasks.size >= MAX_PER_SESSION) this.#dropFinished(session, tasks);
    if (tasks.size >= MAX_PER_SESSION)
      throw new CmcpError("OVERLOADED", `a session may have ${MAX_PER_SESSION} tasks`, { detail: { sent: 0 } });
    const id = randomBytes(ID_BYTES).toString("base64url");
    const releaseSlot = this.#slots.take(principalId, "tasks");
    const stored: StoredTask = { task: null, since: this.#now(), until: Infinity, releaseSlot };
    tasks.set(id, stored);
    this.#sessions.set(session, tasks);
    return {
      commit: (state) => {
        const shown = shownState(id, state);
        stored.until = stored.since + (shown.ttlMs ?? MAX_TTL_MS);
        stored.task = {
          id,
          upstreamId: state.taskId,
          call: { name: call.name, arguments: call.arguments, workflowId: call.workflowId },
          state: shown,
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

  /** A session's own task; `undefined` for any other id. */
  find(session: string, id: string): Task | undefined {
    this.#expire();
    return this.#sessions.get(session)?.get(id)?.task ?? undefined;
  }

  /**
   * Notes what the server says of a task, and what it asks.
   * @param asks in place of what it asked before; nothing of it waits with a task that is cancelled
   * @returns what the agent is told
   */
  update(session: string, { id }: Task, serverState: TaskState, questions: PendingQuestions = {}): TaskState {
    const shown = shownState(id, serverState);
    this.#change(session, id, (stored, task) => {
      stored.until = stored.since + (shown.ttlMs ?? MAX_TTL_MS);
      stored.task = { ...task, state: shown, questions: task.cancelled ? {} : questions };
    });
    return shown;
  }

  /** These questions have their answers. */
  removeQuestions(session: string, { id }: Task, ids: readonly string[]): void {
    this.#change(session, id, (stored, task) => {
      const open = Object.entries(task.questions).filter(([asked]) => !ids.includes(asked));
      stored.task = { ...task, questions: Object.fromEntries(open) };
    });
  }

  /** The task's server is asked to cancel it, or could not be. Nothing it asked waits for an answer meanwhile. */
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
    // Without the server's words: nobody decided about these.
    return [...(this.#sessions.get(session)?.values() ?? [])].flatMap(({ task }) =>
      task === null ? [] : [{ ...task.state, statusMessage: null }],
    );
  }

  /** Forgets a session's tasks. */
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

/** A task as the agent is told of it: by its own id, and kept no longer than the gateway keeps it. */
function shownState(id: string, state: TaskState): TaskState {
  return { ...state, taskId: id, ttlMs: Math.min(state.ttlMs ?? MAX_TTL_MS, MAX_TTL_MS) };
}

/** A request about a task, as the call the task was made by: this is what policy decides. */
export function callThatMadeTask({ call }: Task, request: AgentRequest): AgentRequest {
  const { name, arguments: args, workflowId } = call;
  return { ...request, method: "tools/call", name, arguments: args, workflowId: request.workflowId ?? workflowId };
}
