import { compareVersions, readBundle } from "@cmcp/policy/bundle";
import { writeSchema } from "@cmcp/policy/authoring";
import { CmcpError, isJsonObject, parseJsonText } from "@cmcp/boundary";
import type { Catalog } from "@cmcp/catalog";
import { among } from "./starting-policy.ts";

const SCHEMA = "schema.cedarschema";
const MANIFEST = "manifest.json";

/** A server's tools, as a bundle is to treat them. */
export interface ServerRules {
  /** The server's name. */
  readonly server: string;
  /** Tools that only read. */
  readonly reads: readonly string[];
  /** Tools that may change something: a person looks at each call. */
  readonly others: readonly string[];
  /** Whether the catalog declares hosts that it may reach. */
  readonly hasEgress: boolean;
  /** Who answers for the rules. */
  readonly author: string;
  readonly authoredAt: Date;
}

/** What became of a bundle. */
export interface ExtendedBundle {
  /** Files that are new or changed, by their paths in it. */
  readonly files: Readonly<Record<string, string>>;
  /** What is left to do. */
  readonly notes: readonly string[];
}

function rulesText({ server, reads, others, hasEgress }: ServerRules, slug: string): string {
  const head = `// Tools of ${server}: those that only read are permitted, the others wait for a person of enclave.approvers.\n`;
  const call = '(principal, action == cMCP::Action::"call_tool", resource)';
  const reading =
    reads.length === 0
      ? ""
      : `\n@id("${slug}-reads")\n@reason("these tools only read")\npermit ${call}\n${among(reads)};\n`;
  const effects =
    others.length === 0
      ? ""
      : `\n@id("${slug}-effects")\npermit ${call}\n${among(others)};\n\n@id("${slug}-effects-need-a-person")\n` +
        '@reason("not reviewed as a tool that only reads")\n@aarm_decision("require_approval")\n' +
        `@approval_reason("the tool may change something")\nforbid ${call}\n${among(others)};\n`;
  const reaching = hasEgress
    ? `\n@id("${slug}-reaches-out")\n@reason("the catalog declares the hosts; narrow this by labels")\n` +
      `permit (principal, action == cMCP::Action::"server_egress", resource)\n${among([...reads, ...others])};\n`
    : "";
  return head + reading + effects + reaching;
}

/** The next version: its last number plus one. Another kind of version stays. */
function nextVersion(version: string): string {
  const next = version.replace(/[0-9]+$/, (last) => String(Number(last) + 1));
  try {
    return compareVersions(next, version) > 0 ? next : version;
  } catch {
    return version;
  }
}

/**
 * Adds rules for a server's tools to a bundle: one file of its own, the next version, and the schema, where it is one
 * that was written for the catalog.
 * @param before the catalog that the bundle was for
 * @param after the catalog with the tools
 * @throws CmcpError `USAGE` where the bundle has a file for that server already
 */
export function extendBundle(
  bundle: Readonly<Record<string, string>>,
  rules: ServerRules,
  { before, after }: { readonly before: Catalog; readonly after: Catalog },
): ExtendedBundle {
  const slug = rules.server.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const path = `${slug}.cedar`;
  if (Object.hasOwn(bundle, path)) throw new CmcpError("USAGE", `the policy bundle has a file ${path} already`);
  const manifest = parseJsonText(bundle[MANIFEST] ?? "{}");
  const { signature, version, ...rest } = isJsonObject(manifest) ? manifest : {};
  const changed = {
    ...rest,
    version: typeof version === "string" ? nextVersion(version) : (version ?? null),
    authored_at: rules.authoredAt.toISOString(),
    author_identity: rules.author,
  };
  const files = { [path]: rulesText(rules, slug), [MANIFEST]: `${JSON.stringify(changed, null, 2)}\n` };
  const isWritten = bundle[SCHEMA] === writeSchema(readBundle({ ...bundle }), before);
  return {
    files: isWritten ? { ...files, [SCHEMA]: writeSchema(readBundle({ ...bundle, ...files }), after) } : files,
    notes: [
      ...(signature === undefined ? [] : ["the policy bundle was signed: sign it again with cmcp policy sign"]),
      ...(isWritten
        ? []
        : [`${SCHEMA} was not written for this catalog and stays as it is: cmcp policy schema writes one`]),
    ],
  };
}
