import { CmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { definitionHash } from "@cmcp/catalog";
import type { LiveServer, LiveTool } from "./live-server.ts";

/** What a reviewer decides about a tool. */
export interface Review {
  readonly domain: string | undefined;
  readonly sensitivity: string | undefined;
  readonly requiresBaa: boolean;
}

/** What holds for every entry of one import. */
export interface ImportFacts {
  readonly displayName: string;
  readonly approvedBy: string;
  readonly addedAt: Date;
}

function definitionOf({ name, listed }: LiveTool): JsonObject {
  const { description = "", inputSchema = {}, outputSchema = null } = listed;
  if (typeof description !== "string" || !isJsonObject(inputSchema) || (outputSchema !== null && !isJsonObject(outputSchema))) {
    throw new CmcpError("UPSTREAM_PROTOCOL_ERROR", `the server's definition of ${JSON.stringify(name)} is not a tool definition`);
  }
  return { description, input_schema: inputSchema, ...(outputSchema === null ? {} : { output_schema: outputSchema }) };
}

function serverOf({ url, fingerprint }: LiveServer, displayName: string): JsonObject {
  return { display_name: displayName, url: url.href, ...(fingerprint === null ? {} : { tls_fingerprint: fingerprint }), transport: "streamable-http" };
}

/** The part of an entry that comes from the server alone: enough to scan it. */
export function scannableEntry(server: LiveServer, tool: LiveTool, displayName: string): JsonObject {
  const definition = definitionOf(tool);
  return { tool_name: tool.name, server: serverOf(server, displayName), approved_definition: definition, definition_hash: definitionHash(definition) };
}

/** An entry with the name it has. */
export interface ReviewedEntry {
  readonly name: string;
  readonly entry: JsonObject;
}

/** One catalog entry. @throws CmcpError `USAGE` when the review leaves something open */
export function reviewedEntry(server: LiveServer, tool: LiveTool, facts: ImportFacts, { domain, sensitivity, requiresBaa }: Review): ReviewedEntry {
  const { name } = tool;
  if (domain === undefined) throw new CmcpError("USAGE", `give --domain, or --set ${name}:domain=DOMAIN`);
  if (sensitivity === undefined) throw new CmcpError("USAGE", `give --sensitivity, or --set ${name}:sensitivity=LABEL`);
  const entry = {
    ...scannableEntry(server, tool, facts.displayName),
    compliance_domain: domain,
    requires_baa: requiresBaa,
    sensitivity_level: sensitivity,
    added_at: facts.addedAt.toISOString(),
    approved_by: facts.approvedBy,
  };
  return { name, entry };
}
