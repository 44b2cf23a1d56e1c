import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ARGUMENTS } from "./command-line.ts";

test("the page on the image has every word of the command line, where it applies and why", () => {
  const readme = readFileSync(new URL("../../../docs/explanation/enclave-image.md", import.meta.url), "utf8");
  const table = /<!-- begin: command line -->\n([\s\S]*)<!-- end: command line -->/.exec(readme)?.[1] ?? "";
  const rows = ARGUMENTS.map(
    ({ text, reason, platforms = [], editions = [] }) =>
      `| \`${text}\` | ${[...platforms, ...editions].join(", ") || "everywhere"} | ${reason} |\n`,
  );
  assert.equal(table, `| word | where | why |\n|---|---|---|\n${rows.join("")}`);
});
