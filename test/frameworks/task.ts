/** One tool call that the script in place of a model makes. */
export interface ScriptedCall {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

/** A command that serves MCP over standard input and output, as clients' configurations have it. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What an agent is told to do, in place of a model's own choices. */
export interface Task {
  /** The gateway's `/mcp`. */
  readonly url: string;
  readonly token: string;
  /** What an agent that starts its servers starts in place of speaking to `url`. */
  readonly server?: ServerCommand;
  /** `legacy` opens a session by `initialize`; `auto` leaves the protocol version to the client. */
  readonly mode: "auto" | "legacy";
  /** Whether a framework that lists the tools before every turn is told to list them once: a list may lose a tool during a run. */
  readonly listOnce: boolean;
  readonly calls: readonly ScriptedCall[];
  /** Where the script posts what its model was given last, and waits, before each turn of the model; absent where it never waits. */
  readonly turns?: string;
  /** Whether the client tells servers that it shows URLs; it then posts each to `turns` and accepts. */
  readonly showsUrls?: boolean;
}

/** What an agent's model was given, and how its run ended. */
export interface Transcript {
  /** The protocol version the client settled on. */
  readonly protocol: string;
  /** One for each call, in order; `error` is how the framework marked it, `null` where it has no mark. */
  readonly answers: readonly { readonly text: string; readonly error: boolean | null }[];
  /** The last words of the script, `done`, where the run came so far. */
  readonly end: string;
}

/** A run of an agent. @throws Error when the framework aborts the run */
export type Agent = (task: Task) => Promise<Transcript>;
