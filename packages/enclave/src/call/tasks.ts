import { randomBytes } from "node:crypto";
import { CmcpError, canonicalText } from "@cmcp/boundary";
import { isFinal, type AgentRequest, type TaskState } from "@cmcp/mcp";

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
  /** The methods by which its server has asked for input. */
  readonly asked: readonly string[];
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
}

/**
 * The tasks of all sessions. A task is found by its id in its own session and nowhere else: another principal's, another
 * session's, an ended and an invented id are the same.
 */
export class Tasks {
  readonly #now: () => number;
  readonly #sessions = new Map<string, Map<string, Kept>>();
  #count = 0;

  /** @param now monotonic milliseconds: the host does not set this clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Tasks kept now. */
  get size(): number {
    return this.#count;
  }

  /**
   * Takes a place for what a call may become, before the call leaves. A task that has ended gives way to it.
   * @throws CmcpError `OVERLOADED`; `MCP_INVALID_REQUEST` for arguments that are too large to keep
   */
  reserve(session: string, call: Task["call"]): TaskPlace {
    if (new TextEncoder().encode(canonicalText(call.arguments)).byteLength > MAX_ARGUMENT_BYTES)
      throw new CmcpError(
        "MCP_INVALID_REQUEST",
        `a call that becomes a task may have ${MAX_ARGUMENT_BYTES} bytes of arguments`,
        { detail: { sent: 0 } },
      );
    this.#expire();
    const tasks = this.#sessions.get(session) ?? new Map<string, Kept>();
    if (tasks.size >= MAX_PER_SESSION) this.#giveWay(session, tasks);
    if (tasks.size >= MAX_PER_SESSION || this.#count >= MAX_TASKS)
      throw new CmcpError("OVERLOADED", `a session may have ${MAX_PER_SESSION} tasks`, { detail: { sent: 0 } });
    const id = randomBytes(ID_BYTES).toString("base64url");
    const kept: Kept = { task: null, since: this.#now(), until: Infinity };
    tasks.set(id, kept);
    this.#sessions.set(session, tasks);
    this.#count += 1;
    return {
      take: (state) => {
        const told = limited(id, state);
        kept.until = kept.since + (told.ttlMs ?? MAX_TTL_MS);
        kept.task = {
          id,
          upstreamId: state.taskId,
          call: { name: call.name, arguments: call.arguments, workflowId: call.workflowId },
          state: told,
          asked: [],
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

  /** Notes what the server says of a task now, and asks for. @returns what the agent is told */
  update(session: string, { id }: Task, said: TaskState, asks: readonly string[] = []): TaskState {
    const kept = this.#sessions.get(session)?.get(id);
    const told = limited(id, said);
    if (kept?.task == null) return told;
    kept.until = kept.since + (told.ttlMs ?? MAX_TTL_MS);
    kept.task = { ...kept.task, state: told, asked: [...new Set([...kept.task.asked, ...asks])] };
    return told;
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
    this.#count -= this.#sessions.get(session)?.size ?? 0;
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
    if (tasks?.delete(id) !== true) return;
    this.#count -= 1;
    if (tasks.size === 0) this.#sessions.delete(session);
  }
}

/** A task as the agent is told of it: by its own id, and kept no longer than the gateway keeps it. */
function limited(id: string, state: TaskState): TaskState {
  return { ...state, taskId: id, ttlMs: Math.min(state.ttlMs ?? MAX_TTL_MS, MAX_TTL_MS) };
}

/** A request about a task, as the call the task was made by: this is what policy decides. */
export function askedAs({ call }: Task, request: AgentRequest): AgentRequest {
  return {
    ...request,
    method: "tools/call",
    name: call.name,
    arguments: call.arguments,
    completion: null,
    workflowId: request.workflowId ?? call.workflowId,
  };
}
