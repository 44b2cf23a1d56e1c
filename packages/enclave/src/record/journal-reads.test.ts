/** What a journal reads, against a real host service. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { examine } from "@cmcp/boundary";
import { encodeScanned } from "@cmcp/wire";
import { answer, bodyOf, JournalHost } from "../testing/journal-host.ts";

describe("what a journal reads", () => {
  let host: JournalHost;
  beforeEach(async () => {
    host = await JournalHost.open();
  });
  afterEach(() => host.close());

  test("records are read however the host splits them, and a cut or malformed one is a mismatch", async () => {
    const shown = ["one", "two", "x".repeat(100_000)].map((text, index) => ({
      index,
      kind: "entry",
      leaf: Buffer.from("leaf"),
      body: Buffer.from(text),
    }));
    const framed = encodeScanned(shown);
    let sent = framed;
    host.serve = async (exchange) => {
      await bodyOf(exchange);
      await exchange.respond({ status: 200, headers: {} });
      for (let at = 0; at < sent.length; at += 1_013) await exchange.write(sent.subarray(at, at + 1_013));
      await exchange.end();
    };
    const read = async (): Promise<string[]> => {
      const texts: string[] = [];
      for await (const { body } of host.journal().scan({})) texts.push(Buffer.from(examine(body)).toString());
      return texts;
    };
    assert.deepEqual(
      await read(),
      shown.map(({ body }) => String(body)),
    );
    sent = framed.subarray(0, framed.length - 1);
    await assert.rejects(read(), { code: "AUDIT_STORE_MISMATCH" });
    sent = Buffer.concat([framed.subarray(0, 12), Buffer.from([0xff, 0xff, 0, 0])]);
    await assert.rejects(read(), { code: "AUDIT_STORE_MISMATCH" }, "a length beyond the limit is not waited for");
  });

  test("a head, a range and a path are read, and what is none is a mismatch", async () => {
    let sent: Uint8Array = Buffer.from('{"size":3,"note":"n","snapshot":null}');
    host.serve = async (exchange) => await answer(exchange, sent);
    assert.deepEqual(await host.journal().readHead(), { size: 3, note: "n", snapshot: null });
    sent = Buffer.from('{"size":0,"note":"","snapshot":null}');
    assert.equal(await host.journal().readHead(), null);
    for (const other of ['{"size":-1,"note":"n","snapshot":null}', '{"size":1,"note":"n"}', "[]", "{"]) {
      sent = Buffer.from(other);
      await assert.rejects(host.journal().readHead(), { code: "AUDIT_STORE_MISMATCH" }, other.slice(0, 20));
    }
    sent = Buffer.alloc(64, 7);
    assert.deepEqual(
      (await host.journal().readRange(3)).map(({ length }) => length),
      [32, 32],
    );
    assert.deepEqual(
      (await host.journal().readPath(1, 3)).map(({ length }) => length),
      [32, 32],
    );
    sent = Buffer.alloc(65, 7);
    await assert.rejects(host.journal().readRange(3), { code: "AUDIT_STORE_MISMATCH" });
    host.serve = async (exchange) => await exchange.fail("AUDIT_STORE_UNAVAILABLE", "no");
    await assert.rejects(host.journal().readPath(1, 3), { code: "AUDIT_STORE_UNAVAILABLE" });
  });
});
