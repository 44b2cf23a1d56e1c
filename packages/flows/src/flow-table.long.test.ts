import assert from "node:assert/strict";
import { test } from "node:test";
import { FlowKey } from "./flow-key.ts";
import { FlowTable, type FlowSource } from "./flow-table.ts";

const key = new FlowKey();
const SOURCE: FlowSource = { server: "store", tool: "list", labels: [] };
const MEBIBYTES = 2 * 1024 * 1024;
/** Processor time far above what any of these takes; a pass that is not linear takes minutes. */
const MOST_MS = 10_000;

function milliseconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

const TEXTS: readonly (readonly [string, string])[] = [
  ["one letter", "a".repeat(MEBIBYTES)],
  ["one digit", "7".repeat(MEBIBYTES)],
  ["percent signs", "%41".repeat(MEBIBYTES / 3)],
  ["backslashes", "\\u0061".repeat(MEBIBYTES / 6)],
  ["a character that becomes eighteen", "\ufdfa".repeat(MEBIBYTES / 3)],
  ["zero-width characters", "\u200b".repeat(MEBIBYTES / 3)],
  ["marks on one letter", `a${"\u0301\u0323".repeat(MEBIBYTES / 4)}`],
  ["at signs", "@a.".repeat(MEBIBYTES / 3)],
];
for (const [name, text] of TEXTS)
  test(`2 MB of ${name} take bounded time as a result, an echo and an argument`, () => {
    const table = new FlowTable(key);
    const spent = milliseconds(() => {
      table.add(SOURCE, text);
      table.add(SOURCE, text, text);
      table.match({ text });
    });
    assert.ok(spent < MOST_MS, `${spent} ms`);
  });

test("2 MB of one letter take hardly any room", () => {
  const table = new FlowTable(key);
  table.add(SOURCE, "a".repeat(MEBIBYTES));
  assert.ok(table.used < 16);
  assert.ok(table.complete);
});

test("a source of thousands of leaves is read whole", () => {
  const table = new FlowTable(key);
  const rows = Array.from({ length: 5000 }, (_, row) => ({ id: `row-${row}-${row * 104_729}`, note: `note ${row}` }));
  const spent = milliseconds(() => table.add(SOURCE, rows));
  assert.ok(table.complete);
  assert.ok(spent < MOST_MS, `${spent} ms`);
  assert.equal(table.match({ text: `see row-4999-${4999 * 104_729}` }).flows[0]?.kind, "exact");
});

test("more leaves than are read make the table incomplete", () => {
  const table = new FlowTable(key);
  table.add(
    SOURCE,
    Array.from({ length: 70_000 }, (_, at) => at),
  );
  assert.equal(table.complete, false);
});

test("4 Mi units of a result are read, and one more makes the table incomplete", () => {
  for (const [units, complete] of [
    [4 * 1024 * 1024, true],
    [4 * 1024 * 1024 + 1, false],
  ] as const) {
    const table = new FlowTable(key);
    table.add(SOURCE, "a".repeat(units));
    assert.equal(table.complete, complete, String(units));
  }
});
