import assert from "node:assert/strict";
import { test } from "node:test";
import { readArguments } from "./arguments.ts";

const OPTIONS = { key: { type: "string" }, receipt: { type: "string", multiple: true }, json: { type: "boolean", default: false } } as const;

test("a value may begin with a dash, as keys in base64url do", () => {
  const { values, positionals } = readArguments(["FILE", "--key", "-abc", "--receipt", "--x", "--receipt", "b", "--json"], OPTIONS);
  assert.deepEqual({ ...values }, { key: "-abc", receipt: ["--x", "b"], json: true });
  assert.deepEqual(positionals, ["FILE"]);
});

test("an option is not taken for a value, and what is unknown or lacks its value is a usage error", () => {
  for (const args of [["--key", "--json"], ["--key"], ["--unknown"], ["--json=yes"]]) assert.throws(() => readArguments(args, OPTIONS), { code: "USAGE" }, args.join(" "));
});
