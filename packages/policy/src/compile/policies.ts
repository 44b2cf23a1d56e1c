import { policySetTextToParts, policyToJson, type PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";
import { CmcpError } from "@cmcp/boundary";
import type { Rule } from "../verdict.ts";
import { readAnnotations } from "./annotations.ts";
import { engineText } from "./engine-errors.ts";
import { referencesOf, type References } from "./references.ts";

/** Policies of one bundle. */
const MAX_POLICIES = 5_000;

/** One policy of a bundle, parsed. */
export interface ParsedPolicy {
  /** `<file>#<n>`, counted from 1 in the order of the file. */
  readonly id: string;
  readonly text: string;
  readonly json: PolicyJson;
  readonly rule: Omit<Rule, "readsSensitivity">;
  readonly references: References;
}

/** The engine returns parts sorted by the ids `policy0`, `policy1`, … as text; this is their place in the file. */
function sourceOrder(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index).toSorted((left, right) =>
    `${left}` < `${right}` ? -1 : 1,
  );
}

function readPolicy(id: string, text: string): ParsedPolicy {
  const parsed = policyToJson(text);
  if (parsed.type === "failure") throw new CmcpError("POLICY_BUNDLE_INVALID", `${id}: ${engineText(parsed.errors)}`);
  return {
    id,
    text,
    json: parsed.json,
    rule: readAnnotations(id, parsed.json.annotations ?? {}, parsed.json.effect),
    references: referencesOf(id, parsed.json),
  };
}

/** Parses every policy of a bundle. @throws CmcpError `POLICY_BUNDLE_INVALID`. */
export function parsePolicies(files: readonly (readonly [path: string, text: string])[]): readonly ParsedPolicy[] {
  const all: ParsedPolicy[] = [];
  for (const [path, text] of files) {
    const parts = policySetTextToParts(text);
    if (parts.type === "failure") throw new CmcpError("POLICY_BUNDLE_INVALID", `${path}: ${engineText(parts.errors)}`);
    if (parts.policy_templates.length > 0)
      throw new CmcpError(
        "POLICY_BUNDLE_INVALID",
        `${path}: templates are not linked to anything, so they would never apply; write them out`,
      );
    if (all.length + parts.policies.length > MAX_POLICIES)
      throw new CmcpError("POLICY_BUNDLE_INVALID", `the bundle has more than ${MAX_POLICIES} policies`);
    const order = sourceOrder(parts.policies.length);
    const placed = parts.policies
      .map((source, index) => ({ position: order[index] ?? 0, source }))
      .toSorted((left, right) => left.position - right.position);
    for (const { position, source } of placed) all.push(readPolicy(`${path}#${position + 1}`, source));
  }
  return all;
}
