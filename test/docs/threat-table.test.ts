/** The threat table of docs/explanation/threat-model.md is only worth something while the tests it names exist. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const STATUSES = ["Mitigated", "Conditional", "Open", "Out of scope"];
const REQUIRED =
  "POLICY-TEE-001 POLICY-TEE-002 POLICY-TEE-003 POLICY-TEE-004 POLICY-TEE-005 T1 T2 T3 T4 P1.1 P1.2 P1.3 P1.4 P1.5 P2.1 P2.2 P2.3 P2.4 P3.1 P3.2 P4.1 P4.2".split(
    " ",
  );

interface Row {
  readonly id: string;
  readonly status: string;
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

/** Rows whose last cell names tests, each as a file and a quoted test name, separated by line breaks. */
function rowsOf(markdown: string): Row[] {
  const rows: Row[] = [];
  for (const line of markdown.split("\n")) {
    const cells = line.split(" | ");
    const [first, , status, ...rest] = cells;
    const last = rest.at(-1);
    if (
      !line.startsWith("| ") ||
      cells.length < 5 ||
      first === undefined ||
      status === undefined ||
      last === undefined ||
      status === "status" ||
      status === "---"
    )
      continue;
    const tests = last
      .replace(/\|$/, "")
      .trim()
      .split("<br>")
      .filter((reference) => reference !== "")
      .map((reference) => {
        const [, file, name] = /^\[`([^`]+\.ts)`\]\(\.\.\/\.\.\/\1\) “(.+)”$/.exec(reference) ?? [];
        if (file === undefined || name === undefined) throw new Error(`not a file and a test name: ${reference}`);
        return { file, name };
      });
    rows.push({ id: first.replace(/^\| /, ""), status, tests });
  }
  return rows;
}

/** Whether a source declares a test of that name; a name made from data is written as it stands in the source. */
function declares(source: string, name: string): boolean {
  const joined = source.replaceAll(/\(\s+(?=["`])/g, "(");
  const literals = [JSON.stringify(name), `\`${name}\``];
  return ["test", "it", "describe"].some((call) => literals.some((literal) => joined.includes(`${call}(${literal}`)));
}

const rows = rowsOf(await readFile(join(root, "docs/explanation/threat-model.md"), "utf8"));

describe("the threat table", () => {
  test("has a row for every numbered threat", () => {
    assert.deepEqual(
      REQUIRED.filter((id) => !rows.some((row) => row.id === id)),
      [],
    );
  });

  for (const { id, status, tests } of rows) {
    test(`${id}: the status is one of four, and every test it names exists`, async () => {
      assert.ok(STATUSES.includes(status), status);
      if (status === "Mitigated") assert.ok(tests.length > 0, "what is said to be answered names its test");
      for (const { file, name } of tests)
        assert.ok(declares(await readFile(join(root, file), "utf8"), name), `${file} has no test “${name}”`);
    });
  }
});
