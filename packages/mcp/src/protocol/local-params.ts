import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { invalidParams } from "../ingress/refusal.ts";
import { LOG_LEVELS, logLevel, type LogLevel } from "../log-level.ts";
import { readClientCapabilities, type ClientCapabilities } from "./client-capabilities.ts";
import type { Member, Shape } from "./shape.ts";
import { MAX_CURSOR, MAX_NAME, MAX_URI, object, text } from "./values.ts";

/** Resources one stream may follow. */
const MAX_FOLLOWED = 256;

/** Everything in it ends at the gateway. */
const meta: Member<object> = {
  name: "_meta",
  type: "object, which ends at the gateway",
  read: (value) => {
    object("_meta", value);
    return {};
  },
};

/** Of a method without parameters. */
export const NO_PARAMS: Shape<object> = { members: [meta], empty: {} };

/** Of a list: the cursor, `null` for the first page. */
export const PAGE_PARAMS: Shape<{ readonly cursor: string | null }> = {
  members: [
    {
      name: "cursor",
      type: `string of 1 to ${MAX_CURSOR} characters`,
      read: (value) => ({ cursor: text("cursor", value, MAX_CURSOR) }),
    },
    meta,
  ],
  empty: { cursor: null },
};

/** Of `logging/setLevel`. */
export const LEVEL_PARAMS: Shape<{ readonly level: LogLevel }> = {
  members: [
    {
      name: "level",
      type: LOG_LEVELS.map((level) => `\`${level}\``).join(", "),
      required: true,
      read: (value) => {
        const level = logLevel(value);
        if (level === undefined) throw invalidParams("level is not a log level");
        return { level };
      },
    },
    meta,
  ],
  empty: { level: "debug" },
};

/** What `initialize` says of a client. Its name and version are for display, and go nowhere. */
export interface Initialization {
  readonly protocolVersion: string;
  readonly capabilities: ClientCapabilities;
}

/** Of `initialize` (MCP 2025-11-25, "Initialization"). */
export const INITIALIZE_PARAMS: Shape<Initialization> = {
  members: [
    {
      name: "protocolVersion",
      type: `string of 1 to ${MAX_NAME} characters`,
      required: true,
      read: (value) => ({ protocolVersion: text("protocolVersion", value, MAX_NAME) }),
    },
    {
      name: "capabilities",
      type: "object, of which the capabilities below are read",
      required: true,
      read: (value) => ({ capabilities: readClientCapabilities(object("capabilities", value)) }),
    },
    {
      name: "clientInfo",
      type: `object with \`name\` and \`version\`, strings of at most ${MAX_NAME} characters`,
      required: true,
      read: (value) => {
        const shown = (said: JsonValue | undefined): boolean => typeof said === "string" && said.length <= MAX_NAME;
        if (!isJsonObject(value) || !shown(value.name) || !shown(value.version))
          throw invalidParams("clientInfo needs a name and a version");
        return {};
      },
    },
  ],
  empty: { protocolVersion: "", capabilities: {} },
  tolerant: true,
};

/** What an agent wants to hear of while nothing of its own runs (MCP 2026-07-28, Subscriptions, "Notification Filter"). */
export interface ListenFilter {
  readonly toolsListChanged: boolean;
  readonly promptsListChanged: boolean;
  readonly resourcesListChanged: boolean;
  /** URIs to follow; `null` for those the session has subscribed to itself. */
  readonly resourceSubscriptions: readonly string[] | null;
}

/** Of `subscriptions/listen`. */
export interface ListenRequest {
  readonly filter: ListenFilter;
  /** Whether it asks to hear of tasks, which is the Tasks extension's; of them nothing is promised. */
  readonly wantsTasks: boolean;
}

function readUris(value: JsonValue | undefined): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_FOLLOWED)
    throw invalidParams(`resourceSubscriptions must be at most ${MAX_FOLLOWED} URIs`);
  return value.map((uri) => text("a resource subscription", uri, MAX_URI));
}

function readFilter(wanted: JsonObject): ListenRequest {
  const flag = (key: string): boolean => {
    const value = wanted[key] ?? false;
    if (typeof value !== "boolean") throw invalidParams(`${key} must be true or false`);
    return value;
  };
  return {
    filter: {
      toolsListChanged: flag("toolsListChanged"),
      promptsListChanged: flag("promptsListChanged"),
      resourcesListChanged: flag("resourcesListChanged"),
      resourceSubscriptions: readUris(wanted.resourceSubscriptions),
    },
    wantsTasks: wanted.taskIds !== undefined,
  };
}

export const LISTEN_PARAMS: Shape<ListenRequest> = {
  members: [
    {
      name: "notifications",
      type: `object of three flags and at most ${MAX_FOLLOWED} URIs in \`resourceSubscriptions\``,
      required: true,
      read: (value) => readFilter(object("notifications", value)),
    },
    meta,
  ],
  empty: {
    filter: {
      toolsListChanged: false,
      promptsListChanged: false,
      resourcesListChanged: false,
      resourceSubscriptions: [],
    },
    wantsTasks: false,
  },
};
