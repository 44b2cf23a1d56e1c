import { isJsonObject, type JsonValue } from "@cmcp/boundary";
import { NEWEST_LEGACY_VERSION, type LegacyVersion } from "../versions.ts";
import { TASKS_EXTENSION } from "./tasks-extension.ts";

/** A capability that is declared by being there. */
export type Declared = Readonly<Record<string, never>>;

/**
 * What an agent says it can be asked, as servers hear it (MCP, "Capabilities"). That its roots change is not among it: a
 * notification of an agent's is nothing that was decided and recorded, and none is passed on.
 */
export type ClientCapabilities = {
  readonly elicitation?: { readonly form?: Declared; readonly url?: Declared };
  readonly sampling?: { readonly context?: Declared; readonly tools?: Declared };
  readonly roots?: Declared;
  readonly extensions?: { readonly [TASKS_EXTENSION]?: Declared };
};

/** The members of an object that are declared, out of a closed list. */
function declared<Name extends string>(
  value: JsonValue | undefined,
  names: readonly Name[],
): { readonly [name in Name]?: Declared } {
  return Object.fromEntries(
    names.filter((name) => isJsonObject(value) && isJsonObject(value[name])).map((name) => [name, {}]),
  ) as { readonly [name in Name]?: Declared };
}

/** Rebuilds client capabilities from that closed shape; the protocol lets clients declare others, which are left out. */
export function readClientCapabilities(value: JsonValue | undefined): ClientCapabilities {
  if (!isJsonObject(value)) return {};
  const { elicitation, sampling, roots } = value;
  const extensions = declared(value.extensions, [TASKS_EXTENSION]);
  return {
    ...(isJsonObject(elicitation) ? { elicitation: declared(elicitation, ["form", "url"]) } : {}),
    ...(isJsonObject(sampling) ? { sampling: declared(sampling, ["context", "tools"]) } : {}),
    ...(isJsonObject(roots) ? { roots: {} } : {}),
    ...(Object.keys(extensions).length === 0 ? {} : { extensions }),
  };
}

/** Capabilities without the Tasks extension, for who could be told of tasks in no way it understands. */
export function withoutTasks(capabilities: ClientCapabilities): ClientCapabilities {
  const { extensions: _, ...asking } = capabilities;
  return asking;
}

/** Whether a client can be answered with a task. */
export function declaresTasks({ extensions }: ClientCapabilities): boolean {
  return extensions?.[TASKS_EXTENSION] !== undefined;
}

/**
 * Capabilities of `initialize` as they are meant at that version. Those before 2025-11-25 have `includeContext` without a
 * capability of its own: there, sampling takes it. The Tasks extension is the modern era's.
 */
export function capabilitiesAt(capabilities: ClientCapabilities, version: LegacyVersion): ClientCapabilities {
  const asking = withoutTasks(capabilities);
  return version !== NEWEST_LEGACY_VERSION && asking.sampling !== undefined
    ? { ...asking, sampling: { ...asking.sampling, context: {} } }
    : asking;
}
