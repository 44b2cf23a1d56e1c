import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { classOf, type Approved } from "./approved.ts";
import { readEntry } from "./entry/read.ts";
import { driftDigest } from "./hashes.ts";
import { readServer } from "./server.ts";
import { actionName } from "./tool-name.ts";
import type { CatalogOptions } from "./options.ts";

/** One approved tool. */
export interface CatalogTool extends Approved {
  readonly toolName: string;
  /** What its server calls it: the same, unless the entry says otherwise. */
  readonly nameAtServer: string;
  /** See {@link actionName}. */
  readonly actionName: string;
  readonly description: string;
  /** What agents are shown and arguments are held to: the approved one, or that with its open objects closed. */
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject | null;
  /** What results are projected by where fields are redacted, for a tool without an output schema; not part of the drift comparison. */
  readonly projectionSchema: JsonObject | null;
  /** Whether arguments that the input schema does not declare are let through. */
  readonly additionalArguments: boolean;
  /** Top-level arguments that the entry calls paths or URLs; not part of the drift comparison. */
  readonly argumentKinds?: ReadonlyMap<string, "path" | "url">;
  /** Whether a call has effects that text of a stranger must not cause: it needs a trusted session. */
  readonly consequential: boolean;
  /** Always `unclassified`: the entry format has no category. */
  readonly toolCategory: string;
}

/** Reads one tool entry. @throws CmcpError `CATALOG_INVALID`, `CONFIG_NOT_SUPPORTED` */
export function readTool(raw: JsonValue, index: number, options: CatalogOptions): CatalogTool {
  const entry = readEntry(raw, index);
  const what = `catalog entry ${entry.tool_name}`;
  const approved = {
    description: entry.approved_definition.description,
    inputSchema: entry.approved_definition.input_schema,
    outputSchema: entry.approved_definition.output_schema ?? null,
  };
  return {
    ...approved,
    ...classOf(entry, options.vocabulary, what),
    inputSchema: entry.input_schema ?? approved.inputSchema,
    toolName: entry.tool_name,
    nameAtServer: entry.server_tool_name ?? entry.tool_name,
    actionName: actionName(entry.tool_name),
    server: readServer(what, entry.server, options.developmentMode),
    driftDigest: driftDigest(approved),
    projectionSchema: entry.projection_schema ?? null,
    additionalArguments: entry.additional === "allow",
    ...(entry.argument_kinds == null ? {} : { argumentKinds: new Map(Object.entries(entry.argument_kinds)) }),
    consequential: entry.consequential,
    toolCategory: "unclassified",
  };
}
