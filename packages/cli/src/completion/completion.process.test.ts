/** The scripts of `cmcp completion`, sourced by the shells they are for. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { commandTable } from "../commands.ts";
import { SCRIPTS } from "./scripts.ts";
import { commandWords } from "./words.ts";

const commands = await commandWords(commandTable());

/** What zsh's completion system, which needs a terminal, would do with the offers. */
const ZSH_STAND_INS =
  'compdef() { :; }; _files() { :; }; _describe() { print -rl -- ${(P)2%%:*} | grep -- "^${words[CURRENT]}" || true; }';

function sourced(shell: string, after: string): readonly string[] {
  const script = `${shell === "zsh" ? ZSH_STAND_INS : ""}\n${SCRIPTS.get(shell)?.(commands) ?? ""}`;
  const run = spawnSync(shell, ["-c", `${script}\n${after}`], { encoding: "utf8" });
  assert.deepEqual([run.error, run.stderr, run.status], [undefined, "", 0]);
  return run.stdout.split("\n").filter((line) => line !== "");
}

/** What each shell is asked: the words so far, and the one that the cursor is in. */
const SHELLS: Readonly<Record<string, (words: readonly string[]) => string>> = {
  bash: (words) =>
    `COMP_WORDS=(cmcp ${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length}\n` +
    'complete -p cmcp | grep -q -- "-o default -F _cmcp cmcp" && _cmcp && printf "%s\\n" "${COMPREPLY[@]}"',
  zsh: (words) => `words=(cmcp ${words.map((word) => `"${word}"`).join(" ")}); CURRENT=${words.length + 1}\n_cmcp`,
  fish: (words) => `complete -C "cmcp ${words.join(" ")}" | string replace -r "\\t.*" ""; true`,
};

const OFFERED: readonly (readonly [words: readonly string[], offered: readonly string[]])[] = [
  [["polic"], ["policy"]],
  [["policy", "li"], ["lint"]],
  [
    ["policy", "lint", "--"],
    ["--catalog", "--approvers", "--json", "--help"],
  ],
  [["policy", "lint", "folder", "--cat"], ["--catalog"]],
  [["log", "verify", "--orig"], ["--origin"]],
  [["completion", "--js"], ["--json"]],
];

for (const [shell, ask] of Object.entries(SHELLS)) {
  const installed = spawnSync(shell, ["--version"]).error === undefined;
  const optional = shell !== "bash" && process.env["CMCP_REQUIRE_ALL"] !== "1";
  test(`${shell} offers commands and options`, {
    skip: !installed && optional ? `${shell} is missing: apt-get install ${shell}` : false,
  }, () => {
    for (const [words, offered] of OFFERED)
      assert.deepEqual(sourced(shell, ask(words)).toSorted(), offered.toSorted(), words.join(" "));
    const groups = new Set(commands.map(({ name }) => name.split(" ", 1)[0]));
    assert.deepEqual(new Set(sourced(shell, ask([""]))), groups);
  });
}
