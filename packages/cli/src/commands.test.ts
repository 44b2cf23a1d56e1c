import assert from "node:assert/strict";
import { test } from "node:test";
import { commandOf, groupOverview, overview } from "./commands.ts";

const LINE = /^ {2}cmcp ((?:[a-z-]+ )*?[a-z-]+) {2,}\S/gm;
const NAMES = [...overview().matchAll(LINE)].map(([, name = ""]) => name);

test("every command of the overview is found by its words, with what follows them", async () => {
  assert.ok(NAMES.length >= 25);
  for (const name of NAMES) {
    const named = commandOf([...name.split(" "), "", "FILE"]);
    assert.ok(named.is === "command", name);
    assert.deepEqual(named.rest, ["", "FILE"]);
    assert.match((await named.load()).help, new RegExp(`^Usage: cmcp ${name}\\b`));
  }
});

test("words that every object knows name nothing", () => {
  for (const word of ["constructor", "toString", "__proto__", "hasOwnProperty", "", " ", "no-such"])
    assert.deepEqual(commandOf([word]), { is: "nothing" }, word);
  for (const word of ["constructor", "__proto__"])
    assert.deepEqual(commandOf(["policy", word]), { is: "group", group: "policy", rest: [word] });
});

test("the first word of several commands is their group, which lists them and no other", () => {
  const groups = new Set(NAMES.filter((name) => name.includes(" ")).map((name) => name.split(" ")[0] ?? ""));
  assert.ok(groups.size >= 8);
  for (const group of groups) {
    assert.deepEqual(commandOf([group, "--help"]), { is: "group", group, rest: ["--help"] });
    const text = groupOverview(group);
    assert.deepEqual(
      [...text.matchAll(LINE)].map(([, name]) => name),
      NAMES.filter((name) => name.startsWith(`${group} `)),
    );
    assert.match(text, new RegExp(`^Usage: cmcp ${group} COMMAND\n`));
  }
});
