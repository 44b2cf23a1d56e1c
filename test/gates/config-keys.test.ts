/** Every configuration key is read: a key that nothing reads promises what does not happen. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configSchema } from "@cmcp/launch";
import { ROOT } from "../gateway/deployment.ts";

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
  readonly anyOf?: readonly Node[];
}

/** The names of the keys, at every depth; what a map is keyed by is not one. */
function keysOf(node: Node): string[] {
  const { properties = {}, items, additionalProperties, anyOf = [] } = node;
  const inner = [items, ...anyOf, typeof additionalProperties === "object" ? additionalProperties : undefined];
  return [
    ...Object.keys(properties),
    ...[...Object.values(properties), ...inner].flatMap((below) => (below === undefined ? [] : keysOf(below))),
  ];
}

const SOURCES = ["packages/*/src/**/*.ts", "host-proxy/src/**/*.ts", "attestation/src/**/*.ts"];
/** Where keys are declared, defaulted and measured, which reads none for what it means. */
const DECLARING = /packages\/(?:launch\/src\/config\/(?:schema|measured)|identity\/src\/.*schema)\.ts$/;

/** Members that a format of others has, and that mean nothing for a bundle that is measured (SPIFFE Trust Domain and Bundle, section 4.1). */
const MEANINGLESS: ReadonlySet<string> = new Set(["spiffe_sequence", "spiffe_refresh_hint"]);

const text = globSync(SOURCES, {
  cwd: ROOT,
  exclude: (path) => path.includes("node_modules") || path.endsWith(".test.ts"),
})
  .filter((file) => !DECLARING.test(file) && !file.includes("/testing/"))
  .map((file) => readFileSync(join(ROOT, file), "utf8"))
  .join("\n");

/** Whether some source takes a member of this name: after a dot, in brackets, or by destructuring. */
function isRead(key: string): boolean {
  return new RegExp(`\\.${key}\\b|\\["${key}"\\]|[{,]\\s*${key}(?:: \\w+|\\s*=[^,}]*)?\\s*(?=[,}])`).test(text);
}

test("every configuration key is read by a source", () => {
  const keys = new Set(keysOf(configSchema.toJSONSchema({ io: "input" }) as Node));
  assert.ok(keys.size > 70, "the schema was read");
  assert.deepEqual(
    [...keys].filter((key) => !isRead(key)),
    [...MEANINGLESS],
  );
  assert.ok(!isRead("agent_passport"), "a key that is in no source is not found");
});
