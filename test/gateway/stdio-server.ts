import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash } from "@cmcp/catalog";
import { treeDigest } from "@cmcp/spawner/tree";
import { cmcp } from "./cli.ts";
import { ROOT, deploy } from "./deployment.ts";

const APPROVED = {
  compliance_domain: "public",
  requires_baa: false,
  sensitivity_level: "public",
  added_at: "2026-01-01T00:00:00Z",
  approved_by: "test@example.org",
};
const defined = (definition: JsonObject): JsonObject => ({
  approved_definition: definition,
  definition_hash: definitionHash(definition),
  ...APPROVED,
});

/** A deployment of one stdio server. */
export interface StdioDeployment {
  /** Path of its configuration. */
  readonly config: string;
  /** Folder of the server's files. */
  readonly tree: string;
}

/**
 * Writes a deployment in front of one program of `test/servers`, run by Node, whose tools and resources are approved by name alone.
 * @param folder that any user can read
 */
export async function deployStdioServer(
  folder: string,
  program: string,
  parts: {
    tools: readonly string[];
    resources?: readonly string[];
    policies: string;
    config?: string;
    /** Names of credentials, by the variables that have their values. */
    secrets?: Readonly<Record<string, string>>;
    /** Schemas of the operator's own for the results of tools whose fields policy redacts. */
    projections?: Readonly<Record<string, JsonObject>>;
    /** What the server may reach. */
    egress?: readonly { readonly host: string; readonly port: number }[];
    /** Further files of its tree, by name. */
    files?: Readonly<Record<string, string>>;
    /** Labels of tools that are not public. */
    sensitivity?: Readonly<Record<string, string>>;
  },
): Promise<StdioDeployment> {
  const tree = join(folder, "server");
  await mkdir(tree);
  await chmod(tree, 0o755);
  await copyFile(join(ROOT, "test/servers", program), join(tree, basename(program)));
  for (const [name, text] of Object.entries(parts.files ?? {})) await writeFile(join(tree, name), text);
  const deployment = join(folder, "deployment");
  const config = await deploy(deployment, { tools: [], policies: parts.policies, config: parts.config ?? "" });
  const spawn = {
    command: "node",
    args: [join(tree, basename(program))],
    measure_target: tree,
    binary_digest: `sha256:${Buffer.from(treeDigest(tree)).toString("hex")}`,
    ...(parts.secrets === undefined ? {} : { secrets: parts.secrets }),
    ...(parts.egress === undefined ? {} : { egress: parts.egress.map((target) => ({ ...target })) }),
  };
  const server = { transport: "stdio", spawn };
  const catalog = {
    servers: [{ name: "stdio", ...server }],
    entries: parts.tools.map((name) => ({
      tool_name: name,
      server: { display_name: "stdio", ...server },
      ...defined({ description: `${name}.`, input_schema: { type: "object" } }),
      additional: "allow",
      sensitivity_level: parts.sensitivity?.[name] ?? APPROVED.sensitivity_level,
      ...(parts.projections?.[name] === undefined ? {} : { projection_schema: parts.projections[name] }),
    })),
    resources: (parts.resources ?? []).map((uri) => ({ uri, server: "stdio", ...defined({ name: uri }) })),
  };
  await writeFile(join(deployment, "catalog.json"), JSON.stringify(catalog));
  const schema = await cmcp([
    "policy",
    "schema",
    join(deployment, "policies"),
    "--catalog",
    join(deployment, "catalog.json"),
    "--out",
    join(deployment, "policies/schema.cedarschema"),
  ]);
  assert.equal(schema.code, 0, schema.stderr);
  return { config, tree };
}
