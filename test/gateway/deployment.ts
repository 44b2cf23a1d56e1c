import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash } from "@cmcp/catalog";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where the servers of a deployment's catalog are. */
export interface CatalogTargets {
  readonly everythingPort: number;
  readonly recordsPort: number;
  /** `SHA256:<base64>` of the records server's key. */
  readonly recordsFingerprint: string;
}

interface CatalogEntry {
  server: { url: string; tls_fingerprint: string };
}

/** Copies the quickstart example into `folder`, points its catalog at running servers, and returns the configuration's path. */
export async function deployQuickstart(folder: string, targets: CatalogTargets): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(join(ROOT, "examples/quickstart"), folder, { recursive: true });
  const path = join(folder, "catalog.json");
  // In one pass: a port of its own may begin with the digits of the other's.
  const text = (await readFile(path, "utf8")).replaceAll(
    /(?<=127\.0\.0\.1:)(?:3001|3443)\b/g,
    (port) => `${port === "3001" ? targets.everythingPort : targets.recordsPort}`,
  );
  const entries = JSON.parse(text) as CatalogEntry[];
  for (const entry of entries)
    if (entry.server.url.startsWith("https:")) entry.server.tls_fingerprint = targets.recordsFingerprint;
  await writeFile(path, `${JSON.stringify(entries, null, 2)}\n`);
  return join(folder, "cmcp-config.yaml");
}

/** Rewrites a deployment's listen address so that tests do not collide. */
export async function listenOnAnyPort(config: string): Promise<void> {
  const text = await readFile(config, "utf8");
  await writeFile(config, `${text.replace(/^listen_addr:.*$\n?/m, "").trimEnd()}\nlisten_addr: 127.0.0.1:0\n`);
}

/** What a test says of a tool; the rest of its catalog entry is filled in. */
export interface ToolEntry {
  readonly name: string;
  readonly url: string;
  readonly fingerprint?: string;
  readonly transport?: "streamable-http" | "http-sse";
  /** Without one, the tool takes any arguments, as its entry says. */
  readonly inputSchema?: JsonObject;
  readonly projectionSchema?: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly sensitivityLevel?: string;
  readonly argumentKinds?: Readonly<Record<string, "path" | "url">>;
  readonly complianceDomain?: string;
  readonly consequential?: boolean;
  readonly integrity?: "trusted" | "untrusted";
  /** More of its server, such as how it is trusted. */
  readonly server?: JsonObject;
}

function catalogEntry(tool: ToolEntry): JsonObject {
  const definition: JsonObject = {
    description: `${tool.name}.`,
    input_schema: tool.inputSchema ?? { type: "object" },
    ...(tool.outputSchema === undefined ? {} : { output_schema: tool.outputSchema }),
  };
  return {
    tool_name: tool.name,
    server: {
      display_name: tool.name,
      url: tool.url,
      transport: tool.transport ?? "streamable-http",
      ...(tool.fingerprint === undefined ? {} : { tls_fingerprint: tool.fingerprint }),
      ...(tool.integrity === undefined ? {} : { integrity: tool.integrity }),
      ...tool.server,
    },
    approved_definition: definition,
    definition_hash: definitionHash(definition),
    ...(tool.inputSchema === undefined ? { additional: "allow" } : {}),
    ...(tool.argumentKinds === undefined ? {} : { argument_kinds: { ...tool.argumentKinds } }),
    ...(tool.projectionSchema === undefined ? {} : { projection_schema: tool.projectionSchema }),
    ...(tool.consequential === undefined ? {} : { consequential: tool.consequential }),
    compliance_domain: tool.complianceDomain ?? "public",
    requires_baa: false,
    sensitivity_level: tool.sensitivityLevel ?? "public",
    added_at: "2026-01-01T00:00:00Z",
    approved_by: "test@example.org",
  };
}

const MANIFEST = {
  version: "1.0.0",
  authored_at: "2026-01-01T00:00:00Z",
  author_identity: "test@example.org",
  commit_sha: "0",
};

/** Writes a deployment of a test's own tools, policies and settings, and returns the configuration's path. */
export async function deploy(
  folder: string,
  parts: { tools: readonly ToolEntry[]; servers?: readonly JsonObject[]; policies: string; config?: string },
): Promise<string> {
  await mkdir(join(folder, "policies"), { recursive: true });
  await writeFile(
    join(folder, "catalog.json"),
    JSON.stringify(
      parts.servers === undefined
        ? parts.tools.map(catalogEntry)
        : { entries: parts.tools.map(catalogEntry), servers: parts.servers },
    ),
  );
  await writeFile(join(folder, "policies/manifest.json"), JSON.stringify(MANIFEST));
  await writeFile(join(folder, "policies/rules.cedar"), parts.policies);
  await cp(join(ROOT, "examples/quickstart/policies/schema.cedarschema"), join(folder, "policies/schema.cedarschema"));
  const config = join(folder, "cmcp-config.yaml");
  await writeFile(config, `listen_addr: 127.0.0.1:0\n${parts.config ?? ""}`);
  return config;
}

/** Every call is allowed. */
export const ALLOW_ALL = '@id("allow-all")\npermit (principal, action, resource);\n';
