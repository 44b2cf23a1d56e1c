import type { Catalog } from "@cmcp/catalog";
import { writeSchema } from "@cmcp/policy/authoring";
import { readBundle } from "@cmcp/policy/bundle";

/** What a starting policy is made from. */
export interface StartingPolicy {
  readonly catalog: Catalog;
  /** Tools that a person found to read only. The others wait for an approver. */
  readonly reads: ReadonlySet<string>;
  /** Who answers for the bundle. */
  readonly author: string;
  readonly authoredAt: Date;
}

/** Cedar's condition that a call is of one of these tools. */
export const among = (names: readonly string[]): string =>
  `when { [${names.map((name) => JSON.stringify(name)).join(", ")}].contains(resource.tool_name) }`;

function readingRules(names: readonly string[]): string {
  const rule =
    names.length === 0
      ? '// No tool is on the list yet. Once you know that a tool only reads, write:\n//\n// @id("reads")\n' +
        '// permit (principal, action == cMCP::Action::"call_tool", resource)\n' +
        '// when { ["NAME"].contains(resource.tool_name) };\n'
      : `@id("reads")\n@reason("these tools only read")\npermit (principal, action == cMCP::Action::"call_tool", resource)\n${among(names)};\n`;
  return (
    "// Tools that only read. Whoever approved them looked at each; what a server says of its own tools is no proof.\n" +
    "// What no rule permits is denied, so a tool that joins the catalog stays out until it is named in a rule.\n" +
    `${rule}\n` +
    "// Some conditions that readers of a policy ask for; docs/how-to/policy-cookbook.md has more:\n" +
    '//   principal == cMCP::Principal::"alice"                  this caller alone\n' +
    '//   context.session_max_sensitivity == "public"            nothing sensitive was seen before\n'
  );
}

function effectRules(names: readonly string[]): string {
  const head =
    "// Tools that may change something. A person of enclave.approvers looks at each call (docs/how-to/approve-calls.md).\n" +
    "// While the configuration names no approver, every such call is denied: the forbid has nobody to lift it.\n" +
    "// To let a tool through without one, take its name out of both lists, and add it to the list in reads.cedar.\n";
  if (names.length === 0) return `${head}// Every tool of the catalog is on the list in reads.cedar.\n`;
  return (
    `${head}@id("effects")\npermit (principal, action == cMCP::Action::"call_tool", resource)\n${among(names)};\n\n` +
    '@id("effects-need-a-person")\n@reason("not reviewed as a tool that only reads")\n' +
    '@aarm_decision("require_approval")\n@approval_reason("the tool may change something")\n' +
    `forbid (principal, action == cMCP::Action::"call_tool", resource)\n${among(names)};\n`
  );
}

/**
 * The files of a policy bundle to begin with, by their paths in it: tools that only read are permitted, and calls of the
 * others wait for an approver.
 */
export function startingPolicy({ catalog, reads, author, authoredAt }: StartingPolicy): Record<string, string> {
  const names = [...catalog.tools.keys()];
  const manifest = {
    version: "0.1.0",
    authored_at: authoredAt.toISOString(),
    author_identity: author,
    commit_sha: "none",
  };
  const files = {
    "manifest.json": `${JSON.stringify(manifest, null, 2)}\n`,
    "reads.cedar": readingRules(names.filter((name) => reads.has(name))),
    "effects.cedar": effectRules(names.filter((name) => !reads.has(name))),
  };
  const schema = writeSchema(readBundle({ ...files, "schema.cedarschema": "" }), catalog);
  return { ...files, "schema.cedarschema": schema };
}
