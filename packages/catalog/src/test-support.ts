/** Raw catalog entries for this package's tests. */
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash } from "./hashes.ts";
import type { CatalogOptions } from "./options.ts";

export const PIN = "SHA256:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
export const PLACEHOLDER = `SHA256:${"A".repeat(43)}=`;

const LABELS = new Set(["public", "pii", "confidential", "hipaa_phi", "mnpi", "trade_secret"]);
const DOMAINS = new Set(["hipaa_phi", "pci_data", "mnpi", "pii", "trade_secret", "internal", "external", "public"]);
const VOCABULARY = { has: (label: string) => LABELS.has(label), hasDomain: (domain: string) => DOMAINS.has(domain) };
export const PRODUCTION: CatalogOptions = { developmentMode: false, vocabulary: VOCABULARY };
export const DEVELOPMENT: CatalogOptions = { developmentMode: true, vocabulary: VOCABULARY };

export const LEDGER_DEFINITION: JsonObject = {
  description: "Reads a ledger row.",
  input_schema: { type: "object", required: ["row"], properties: { row: { type: "integer", minimum: 0 } } },
  output_schema: { type: "object", properties: { amount: { type: "number" } } },
};
export const NOTE_DEFINITION: JsonObject = {
  description: "Posts a note.",
  input_schema: { type: "object", properties: { text: { type: "string" } } },
};

export function server(rest: JsonObject = {}): JsonObject {
  return {
    display_name: "Ledger",
    url: "https://ledger.bank.example:8443/mcp",
    tls_fingerprint: PIN,
    transport: "streamable-http",
    ...rest,
  };
}

export function entry(toolName: string, rest: JsonObject = {}): JsonObject {
  const definition = (rest.approved_definition ?? NOTE_DEFINITION) as JsonObject;
  return {
    tool_name: toolName,
    server: server(),
    approved_definition: definition,
    definition_hash: definitionHash(definition),
    compliance_domain: "internal",
    requires_baa: false,
    sensitivity_level: "confidential",
    added_at: "2026-10-01T08:30:00Z",
    approved_by: "risk@bank.example",
    ...rest,
  };
}

export const LEDGER = entry("ledger.read", {
  approved_definition: LEDGER_DEFINITION,
  compliance_domain: "mnpi",
  sensitivity_level: "mnpi",
});

/** A catalog document with sections: one named server, `ledger`, unless `rest` says otherwise. */
export function document(rest: JsonObject = {}): JsonObject {
  return { entries: [], servers: [named("ledger")], ...rest };
}

export function named(name: string, rest: JsonObject = {}): JsonObject {
  return { name, url: `https://${name}.bank.example:8443/mcp`, tls_fingerprint: PIN, ...rest };
}

function described(definition: JsonObject, rest: JsonObject): JsonObject {
  return {
    server: "ledger",
    approved_definition: definition,
    definition_hash: definitionHash(definition),
    compliance_domain: "internal",
    sensitivity_level: "confidential",
    added_at: "2026-10-01T08:30:00Z",
    approved_by: "risk@bank.example",
    ...rest,
  };
}

export function resource(uri: string, rest: JsonObject = {}): JsonObject {
  const definition = (rest.approved_definition ?? {
    name: "rows",
    description: "Rows of a ledger.",
    mime_type: "text/csv",
  }) as JsonObject;
  return { ...(uri.includes("{") ? { uri_template: uri } : { uri }), ...described(definition, rest) };
}

export function prompt(name: string, rest: JsonObject = {}): JsonObject {
  const definition = (rest.approved_definition ?? {
    description: "Summarises a ledger.",
    arguments: [{ name: "year", required: true }],
  }) as JsonObject;
  return { prompt_name: name, ...described(definition, rest) };
}
