import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "@cmcp/mcp";
import { SigningKey } from "../instance/signing-key.ts";
import { takeStatement, type StatementPorts } from "./statements.ts";

/** A gateway, and a stranger's request to it whose content is counted when it is read. */
function scene(rest: Partial<StatementPorts>) {
  let read = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    read += 1;
    yield await Promise.resolve(Buffer.from("{}"));
  }
  const refuse = (): never => assert.fail("no statement came so far");
  const ports: StatementPorts = {
    instance: "",
    key: new SigningKey(),
    provisioners: { areListed: true, authenticate: refuse, assertFor: refuse },
    sealKeys: { keyOf: refuse },
    turns: { next: () => Promise.resolve() },
    take: refuse,
    ...rest,
  };
  const request: HttpRequest = {
    method: "POST",
    url: "http://enclave.test/statements",
    headers: { get: () => null },
    body: body(),
    whole: () => null,
    signal: new AbortController().signal,
  };
  return { answer: () => takeStatement(ports, request), read: () => read };
}

test("where no provisioning keys are listed a statement is refused before it is read", async () => {
  const none = { areListed: false, authenticate: () => undefined, assertFor: () => undefined };
  const { answer, read } = scene({ provisioners: none });
  await assert.rejects(answer(), { code: "PROVISION_STATEMENT_INVALID" });
  assert.equal(read(), 0);
});

test("a statement is parsed when its turn has come, and not before", async () => {
  const turn = Promise.withResolvers<void>();
  const { answer, read } = scene({ turns: { next: () => turn.promise } });
  let isOver = false;
  const answering = answer().finally(() => {
    isOver = true;
  });
  answering.catch(() => undefined);
  await new Promise(setImmediate);
  assert.deepEqual([read(), isOver], [1, false]);
  turn.resolve();
  await assert.rejects(answering, { code: "PROVISION_STATEMENT_MALFORMED" });
});
