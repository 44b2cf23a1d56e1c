import { randomBytes } from "node:crypto";
import { CmcpError, SharedSlots, canonicalText } from "@cmcp/boundary";
import { isFinal, type AgentRequest, type TaskState } from "@cmcp/mcp";
import type { OnBehalfOf } from "../servers/upstreams.ts";
import type { AskedQuestions } from "./asked.ts";

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
  readonly asked: AskedQuestions;
  /** Whether its server was asked to cancel it, which happens once. */
  readonly cancelled: boolean;
}

/** A place for the task that a call may become. */
export interface TaskPlace {
  /** @returns the task as the agent is to be told of it */
  take(state: TaskState): Task;
  /** Gives the place back when the call became no task. */
  free(): void;
}

interface Kept {
  task: Task | null;
  readonly since: number;
  until: number;
  /** Gives the slot back that the task takes. */
  readonly giveBack: () => void;
}

/**
 * The tasks of all sessions. A task is found by its id in its own session and nowhere else: another principal's, another
 * session's, an ended and an invented id are the same.
 */
export class Tasks {
  readonly #now: () => number;
  readonly #sessions = new Map<string, Map<string, Kept>>();
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
  reserve({ id: session, principalId }: OnBehalfOf, call: Task["call"]): TaskPlace {
    if (new TextEncoder().encode(canonicalText(call.arguments)).byteLength > MAX_ARGUMENT_BYTES)
      throw new CmcpError(
        "MCP_INVALID_REQUEST",
        `a call that becomes a task may have ${MAX_ARGUMENT_BYTES} bytes of arguments`,
        { detail: { sent: 0 } },
      );
    this.#expire();
    const tasks = this.#sessions.get(session) ?? new Map<string, Kept>();
    if (tasks.size >= MAX_PER_SESSION) this.#giveWay(session, tasks);
    if (tasks.size >= MAX_PER_SESSION)
      throw new CmcpError("OVERLOADED", `a session may have ${MAX_PER_SESSION} tasks`, { detail: { sent: 0 } });
    const id = randomBytes(ID_BYTES).toString("base64url");
    const giveBack = this.#slots.take(principalId, "tasks");
    const kept: Kept = { task: null, since: this.#now(), until: Infinity, giveBack };
    tasks.set(id, kept);
    this.#sessions.set(session, tasks);
    return {
      take: (state) => {
        const told = limited(id, state);
        kept.until = kept.since + (told.ttlMs ?? MAX_TTL_MS);
        kept.task = {
          id,
          upstreamId: state.taskId,
          call: { name: call.name, arguments: call.arguments, workflowId: call.workflowId },
          state: told,
          asked: {},
          cancelled: false,
        };
        return kept.task;
      },
      free: () => {
        if (kept.task === null) this.#drop(session, id);
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
  update(session: string, { id }: Task, said: TaskState, asks: AskedQuestions = {}): TaskState {
    const told = limited(id, said);
    this.#change(session, id, (kept, task) => {
      kept.until = kept.since + (told.ttlMs ?? MAX_TTL_MS);
      kept.task = { ...task, state: told, asked: task.cancelled ? {} : asks };
    });
    return told;
  }

  /** These questions have their answers. */
  answered(session: string, { id }: Task, ids: readonly string[]): void {
    this.#change(session, id, (kept, task) => {
      const open = Object.entries(task.asked).filter(([asked]) => !ids.includes(asked));
      kept.task = { ...task, asked: Object.fromEntries(open) };
    });
  }

  /** The task's server is asked to cancel it, or could not be. Nothing it asked waits for an answer meanwhile. */
  cancelled(session: string, { id }: Task, cancelled: boolean): void {
    this.#change(session, id, (kept, task) => {
      kept.task = { ...task, cancelled, asked: {} };
    });
  }

  #change(session: string, id: string, change: (kept: Kept, task: Task) => void): void {
    const kept = this.#sessions.get(session)?.get(id);
    if (kept?.task != null) change(kept, kept.task);
  }

  /** A session's tasks, oldest first. */
  of(session: string): readonly TaskState[] {
    this.#expire();
    // Without the server's words: nobody decided about these.
    return [...(this.#sessions.get(session)?.values() ?? [])].flatMap(({ task }) =>
      task === null ? [] : [{ ...task.state, statusMessage: null }],
    );
  }

  /** Forgets a session's tasks. */
  forget(session: string): void {
    for (const { giveBack } of this.#sessions.get(session)?.values() ?? []) giveBack();
    this.#sessions.delete(session);
  }

  #giveWay(session: string, tasks: ReadonlyMap<string, Kept>): void {
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
    const kept = tasks?.get(id);
    if (tasks === undefined || kept === undefined) return;
    tasks.delete(id);
    kept.giveBack();
    if (tasks.size === 0) this.#sessions.delete(session);
  }
}

/** A task as the agent is told of it: by its own id, and kept no longer than the gateway keeps it. */
function limited(id: string, state: TaskState): TaskState {
  return { ...state, taskId: id, ttlMs: Math.min(state.ttlMs ?? MAX_TTL_MS, MAX_TTL_MS) };
}

/** A request about a task, as the call the task was made by: this is what policy decides. */
export function callOfTask({ call }: Task, request: AgentRequest): AgentRequest {
  const { name, arguments: args, workflowId } = call;
  return { ...request, method: "tools/call", name, arguments: args, workflowId: request.workflowId ?? workflowId };
}
