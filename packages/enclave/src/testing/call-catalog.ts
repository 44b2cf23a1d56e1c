import type { JsonObject } from "@cmcp/boundary";
import { definitionHash, loadCatalog, type Catalog, type Target } from "@cmcp/catalog";
import type { AgentRequest } from "@cmcp/mcp";
import { Vocabulary } from "@cmcp/session";
import { findTarget } from "../call/resolve-target.ts";

const APPROVAL: JsonObject = {
  compliance_domain: "public",
  sensitivity_level: "public",
  added_at: "2026-01-01T00:00:00Z",
  approved_by: "test@example.org",
};

const SERVER: JsonObject = {
  display_name: "notes",
  url: "http://127.0.0.1:9/mcp",
  transport: "streamable-http",
};

function tool(name: string, definition: JsonObject, rest: JsonObject = {}): JsonObject {
  const described = { approved_definition: definition, definition_hash: definitionHash(definition) };
  return { tool_name: name, server: SERVER, ...described, requires_baa: false, ...APPROVAL, ...rest };
}

function described(definition: JsonObject, rest: JsonObject): JsonObject {
  const hashed = { approved_definition: definition, definition_hash: definitionHash(definition) };
  return { server: "shelf", ...hashed, ...APPROVAL, ...rest };
}

const ONE_TEXT: JsonObject = { type: "object", properties: { q: { type: "string" } } };
const PERSON: JsonObject = {
  description: "Finds a person.",
  input_schema: { ...ONE_TEXT, required: ["q"] },
  output_schema: {
    type: "object",
    properties: { name: { type: "string" }, ssn: { type: "string" }, age: { type: "integer" } },
  },
};
const PLAIN: JsonObject = { description: "Looks up.", input_schema: ONE_TEXT };

/**
 * A catalog as callers meet it: tools with and without a result's schema, one that cannot be called, a prompt, a
 * resource and a template.
 */
export function callCatalog(): Catalog {
  return loadCatalog(
    {
      servers: [{ name: "shelf", url: "http://127.0.0.1:9/shelf" }],
      entries: [
        tool("lookup", PLAIN),
        tool("person", PERSON, { sensitivity_level: "pii" }),
        tool("transfer", PLAIN, { consequential: true }),
        tool("unpinned", PLAIN, { server: { ...SERVER, display_name: "far", url: "https://far.example/mcp" } }),
      ],
      prompts: [
        described(
          { description: "Greets.", arguments: [{ name: "who", required: true }, { name: "tone" }] },
          { prompt_name: "greeting" },
        ),
      ],
      resources: [
        described({ name: "notes", description: "Notes." }, { uri: "note://all" }),
        described({ name: "note", description: "A note." }, { uri_template: "note://by-id/{id}" }),
      ],
    },
    { developmentMode: true, vocabulary: new Vocabulary() },
  );
}

/** What a request is about, by the catalog. */
export function targetOf(catalog: Catalog, request: AgentRequest): Target {
  const target = findTarget(catalog, request);
  if (target === undefined) throw new Error(`the catalog has no ${request.name}`);
  return target;
}
