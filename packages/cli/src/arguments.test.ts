import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { readArguments } from "./arguments.ts";

const OPTIONS = {
  key: { type: "string" },
  receipt: { type: "string", multiple: true },
  json: { type: "boolean", default: false },
} as const;

test("a value may begin with a dash, as keys in base64url do", () => {
  const { values, positional } = readArguments(
    ["FILE", "--key", "-abc", "--receipt", "--x", "--receipt", "b", "--json"],
    OPTIONS,
    "FILE",
  );
  assert.deepEqual({ ...values }, { key: "-abc", receipt: ["--x", "b"], json: true });
  assert.equal(positional, "FILE");
});

test("an option is not taken for a value, and what is unknown or lacks its value is a usage error", () => {
  for (const args of [["--key", "--json"], ["--key"], ["--unknown"], ["--json=yes"]])
    assert.throws(() => readArguments(args, OPTIONS), { code: "USAGE" }, args.join(" "));
});

test("an argument too many is a usage error, and is not repeated: it may be a secret", () => {
  for (const [args, takes] of [
    [["A", "hunter2"], ["FOLDER"]],
    [["hunter2"], []],
    [
      ["A", "B", "hunter2"],
      ["OLD", "NEW"],
    ],
    [["A", "--", "--hunter2"], ["FOLDER"]],
  ] as const) {
    assert.throws(
      () => readArguments(args, OPTIONS, ...takes),
      (thrown) => thrown instanceof CmcpError && thrown.code === "USAGE" && !thrown.message.includes("hunter2"),
      args.join(" "),
    );
  }
});

test("a second value of an option that has one is a usage error: the first would count for nothing", () => {
  for (const args of [
    ["--key", "a", "--key", "b"],
    ["--key=a", "--key=a"],
  ])
    assert.throws(() => readArguments(args, OPTIONS), { code: "USAGE", message: /--key is given twice/ });
  assert.equal(readArguments(["--json", "--json"], OPTIONS).values.json, true);
});
