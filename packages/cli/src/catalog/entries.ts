import { CmcpError, canonicalText, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { closedSchema, definitionHash } from "@cmcp/catalog";
import type { ListedServer, LiveItem } from "./live-server.ts";

/** What a reviewer decides about something that is approved. */
export interface Review {
  readonly domain: string | undefined;
  readonly sensitivity: string | undefined;
  readonly requiresBaa: boolean;
}

/** What holds for every entry of one import. */
export interface ImportFacts {
  readonly displayName: string;
  /** Name of the server in the catalog's `servers`; resources and prompts refer to it. */
  readonly serverName: string;
  readonly approvedBy: string;
  readonly addedAt: Date;
  /** Name of the provisioned secret that the server is sent. */
  readonly credential?: string | undefined;
}

/** Sections of a catalog that entries go to. */
export type EntrySection = "entries" | "resources" | "prompts";

/** Something of a server that could be approved. */
export interface Candidate {
  readonly section: EntrySection;
  readonly name: string;
  /** A tool's name at its server, where agents are to know it by another. */
  readonly nameAtServer?: string;
  /** The member of its entry that has the name. */
  readonly key: "tool_name" | "uri" | "uri_template" | "prompt_name";
  readonly definition: JsonObject;
}

function malformed(kind: string, name: string): CmcpError {
  return new CmcpError(
    "UPSTREAM_PROTOCOL_ERROR",
    `the server's definition of ${JSON.stringify(name)} is not a ${kind} definition`,
  );
}

function toolOf({ name, listed }: LiveItem): Candidate {
  const { description = "", inputSchema = {}, outputSchema = null } = listed;
  if (
    typeof description !== "string" ||
    !isJsonObject(inputSchema) ||
    (outputSchema !== null && !isJsonObject(outputSchema))
  )
    throw malformed("tool", name);
  return {
    section: "entries",
    name,
    key: "tool_name",
    definition: {
      description,
      input_schema: inputSchema,
      ...(outputSchema === null ? {} : { output_schema: outputSchema }),
    },
  };
}

/** Texts of a listing under the names a catalog has for them; one that is missing or `null` is left out. */
function texts(listed: JsonObject, names: Readonly<Record<string, string>>, refuse: () => CmcpError): JsonObject {
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, member]) => {
      const value = listed[name] ?? null;
      if (value !== null && typeof value !== "string") throw refuse();
      return value === null ? [] : [[member, value]];
    }),
  );
}

function resourceOf(key: "uri" | "uri_template"): (item: LiveItem) => Candidate {
  return ({ name, listed }) => ({
    section: "resources",
    name,
    key,
    definition: texts(listed, { name: "name", title: "title", description: "description", mimeType: "mime_type" }, () =>
      malformed("resource", name),
    ),
  });
}

function promptOf({ name, listed }: LiveItem): Candidate {
  const refuse = (): CmcpError => malformed("prompt", name);
  const argument = (value: JsonValue): JsonObject => {
    if (!isJsonObject(value) || (value.required !== undefined && typeof value.required !== "boolean")) throw refuse();
    return {
      ...texts(value, { name: "name", title: "title", description: "description" }, refuse),
      ...(value.required === true ? { required: true } : {}),
    };
  };
  const list = listed.arguments ?? [];
  if (!Array.isArray(list)) throw refuse();
  return {
    section: "prompts",
    name,
    key: "prompt_name",
    definition: {
      ...texts(listed, { title: "title", description: "description" }, refuse),
      arguments: list.map(argument),
    },
  };
}

/**
 * Everything that was read of a server, as it could be approved.
 * @throws CmcpError `UPSTREAM_PROTOCOL_ERROR` for a listing that is no definition
 */
export function candidatesOf({ lists }: ListedServer): readonly Candidate[] {
  return [
    ...lists.tools.map(toolOf),
    ...lists.resources.map(resourceOf("uri")),
    ...lists.templates.map(resourceOf("uri_template")),
    ...lists.prompts.map(promptOf),
  ];
}

/** The server as its own entry in the catalog's `servers`. */
export function serverEntry(
  { location }: ListedServer,
  { serverName, displayName, credential }: Pick<ImportFacts, "serverName" | "displayName" | "credential">,
): JsonObject {
  return {
    name: serverName,
    display_name: displayName,
    ...location,
    ...(credential === undefined ? {} : { credential }),
  };
}

/** What a tool's entry has beside what was approved: its name at the server, and its input schema with open objects closed. */
function toolMembers({ section, name, nameAtServer = name, definition }: Candidate): JsonObject {
  const { input_schema: open } = definition;
  if (section !== "entries" || !isJsonObject(open)) return {};
  const closed = closedSchema(open);
  return {
    ...(nameAtServer === name ? {} : { server_tool_name: nameAtServer }),
    ...(canonicalText(closed) === canonicalText(open) ? {} : { input_schema: closed }),
  };
}

/** A tool's entry brings its server along; others name one of the catalog's `servers`. */
function serverOf(
  { location }: ListedServer,
  section: EntrySection,
  { serverName, displayName }: Pick<ImportFacts, "serverName" | "displayName">,
): JsonValue {
  if (section !== "entries") return serverName;
  return { display_name: displayName, transport: "streamable-http", ...location };
}

/** The part of an entry that comes from the server alone: enough to scan it. */
export function scannableEntry(
  server: ListedServer,
  candidate: Candidate,
  names: Pick<ImportFacts, "serverName" | "displayName">,
): JsonObject {
  const { section, name, key, definition } = candidate;
  return {
    [key]: name,
    server: serverOf(server, section, names),
    approved_definition: definition,
    definition_hash: definitionHash(definition),
    ...toolMembers(candidate),
  };
}

/** An entry with the name it has. */
export interface ReviewedEntry {
  readonly section: EntrySection;
  readonly name: string;
  readonly entry: JsonObject;
}

/** One catalog entry. @throws CmcpError `USAGE` when the review leaves something open */
export function reviewedEntry(
  server: ListedServer,
  candidate: Candidate,
  facts: ImportFacts,
  { domain, sensitivity, requiresBaa }: Review,
): ReviewedEntry {
  const { section, name } = candidate;
  if (domain === undefined) throw new CmcpError("USAGE", `give --domain, or --set ${name}:domain=DOMAIN`);
  if (sensitivity === undefined) throw new CmcpError("USAGE", `give --sensitivity, or --set ${name}:sensitivity=LABEL`);
  const entry = {
    ...scannableEntry(server, candidate, facts),
    compliance_domain: domain,
    requires_baa: requiresBaa,
    sensitivity_level: sensitivity,
    added_at: facts.addedAt.toISOString(),
    approved_by: facts.approvedBy,
  };
  return { section, name, entry };
}
