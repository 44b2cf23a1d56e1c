import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { commandOf, commandTable } from "../commands.ts";
import { commandWords } from "./words.ts";

const silent = new Writable({ write: (_chunk, _encoding, done) => done() });

test("every command is offered, with options that it knows and no others", async () => {
  const commands = await commandWords(commandTable());
  assert.ok(commands.length >= 40);
  for (const { name, summary, options } of commands) {
    assert.notEqual(summary, "", name);
    const found = commandOf(name.split(" "));
    assert.ok(found.is === "command");
    const command = await found.load();
    for (const option of options) {
      if (option === "--help") continue;
      // Whatever the option takes, one of both is refused before the command does anything.
      const refusal = await (async () =>
        await command.run([`${option}=x`, "--never-an-option"], { out: silent, err: silent, colour: false }))().catch(
        (thrown: unknown) => thrown,
      );
      assert.ok(refusal instanceof CmcpError && refusal.code === "USAGE", `${name} ${option}`);
      assert.ok(!refusal.message.includes(`Unknown option '${option}'`), `${name}: ${refusal.message}`);
    }
  }
});

test("options are those of usage and columns, not those that prose mentions", async () => {
  const lint = (await commandWords(commandTable())).find(({ name }) => name === "policy lint");
  assert.deepEqual(lint?.options, ["--catalog", "--approvers", "--json", "--help"]);
  const show = (await commandWords(commandTable())).find(({ name }) => name === "key new");
  assert.deepEqual(show?.options, ["--auditor", "--storage", "--kem", "--json", "--help"]);
});
