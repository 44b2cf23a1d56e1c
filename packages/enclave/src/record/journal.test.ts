/** The journal against a real host service over a real Unix socket. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  JournalReader,
  SessionChain,
  decodeRecord,
  isAuthentic,
  receiptOfRecord,
  receiptOf,
  type JournalRecord,
} from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import { examine, untrusted } from "@cmcp/boundary";
import {
  ExchangePool,
  decodeRecords,
  listenUnix,
  serveStream,
  unixDialer,
  type IncomingExchange,
  type Listener,
} from "@cmcp/wire";
import { Journal } from "./journal.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const jwk = { kty: "OKP", crv: "Ed25519", x: String(publicKey.export({ format: "jwk" }).x) } as const;
const instance = jwkThumbprintText(jwk);
const digest = `sha256:${"0".repeat(64)}`;
const first = {
  kind: "instance",
  body: { jwk, gateway_version: "0", policy_hash: digest, catalog_hash: digest, boot_time: "2026-01-01T00:00:00.000Z" },
} as const;

/** Big-endian u32, as the host frames what it returns. */
function lengthOf(record: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(record.length);
  return bytes;
}

describe("journal", () => {
  let folder: string;
  let listener: Listener;
  let pool: ExchangePool;
  let serve: (exchange: IncomingExchange) => Promise<void>;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-journal-"));
    const path = join(folder, "s.sock");
    listener = await listenUnix(path, (stream) => serveStream(stream, (exchange) => serve(exchange)));
    pool = new ExchangePool(unixDialer(path), { maxStreams: 8 });
  });
  afterEach(async () => {
    await pool.close();
    await listener.close();
    await rm(folder, { recursive: true, force: true });
  });

  const bodyOf = async (exchange: IncomingExchange): Promise<Uint8Array> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of exchange.body) chunks.push(examine(chunk));
    return Buffer.concat(chunks);
  };
  const acknowledge = async (exchange: IncomingExchange): Promise<void> => {
    await exchange.respond({ status: 200, headers: {} });
    await exchange.end();
  };
  const journal = (): Journal => new Journal(pool, instance, (bytes) => sign(null, bytes, privateKey));

  test("a record is retried with the same number until the host takes it", async () => {
    const seen: { seq: number; body: Uint8Array }[] = [];
    serve = async (exchange) => {
      assert.ok(exchange.opening.t === "append");
      seen.push({
        seq: exchange.opening.seq,
        body: decodeRecords(untrusted(await bodyOf(exchange)))[0]?.bytes ?? Buffer.alloc(0),
      });
      if (seen.length < 3) await exchange.fail("AUDIT_STORE_UNAVAILABLE", "not now");
      else await acknowledge(exchange);
    };
    await journal().append(instance, first);
    assert.equal(seen.length, 3);
    assert.ok(seen.every(({ seq, body }) => seq === 0 && Buffer.compare(body, seen[0]?.body ?? Buffer.alloc(0)) === 0));
    const reader = new JournalReader(jwkThumbprintText);
    reader.add(untrusted(seen[2]?.body ?? Buffer.alloc(0)));
    assert.equal(reader.finish()?.instance, instance, "what is stored verifies under the instance's key");
  });

  test("records that arrive during an append go together in the next one, in order and under one signature, and each verifies alone", async () => {
    const appends: number[] = [];
    const stored: JournalRecord[] = [];
    let signatures = 0;
    serve = async (exchange) => {
      assert.ok(exchange.opening.t === "append");
      assert.equal(exchange.opening.seq, stored.length);
      const records = decodeRecords(untrusted(await bodyOf(exchange)));
      appends.push(records.length);
      for (const { bytes } of records) stored.push(decodeRecord(untrusted(bytes)));
      await acknowledge(exchange);
    };
    const kept = new Journal(pool, instance, (bytes) => {
      signatures += 1;
      return sign(null, bytes, privateKey);
    });
    await Promise.all(Array.from({ length: 300 }, () => kept.append(instance, first)));
    assert.deepEqual([appends, signatures], [[1, 128, 128, 43], 4]);
    assert.deepEqual(
      stored.map(({ seq }) => seq),
      Array.from({ length: 300 }, (_, seq) => seq),
    );
    assert.ok(stored.every((record) => isAuthentic(record, publicKey)));
  });

  test("each receipt comes with the acknowledgement of its own record, and is in that record", async () => {
    const stored: JournalRecord[] = [];
    serve = async (exchange) => {
      stored.push(
        ...decodeRecords(untrusted(await bodyOf(exchange))).map(({ bytes }) => decodeRecord(untrusted(bytes))),
      );
      await acknowledge(exchange);
    };
    const kept = journal();
    const chain = new SessionChain("0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90");
    const started = chain.write({ entry_type: "session_start" });
    const decided = Array.from({ length: 5 }, (_, index) =>
      chain.write({
        entry_type: "tool_call",
        call_id: `call-${index}`,
        policy_decision: "allow",
        detail: { policy_hash: digest },
      }),
    );
    const receipts = await Promise.all([
      kept.append("s", { kind: "entry", body: { entry: started.written, receipt: null } }),
      ...decided.map(({ entry, written }) =>
        kept.append(
          "s",
          { kind: "entry", body: { entry: written, receipt: "sealed" } },
          receiptOf(entry, instance, "sealed"),
        ),
      ),
    ]);
    assert.deepEqual(
      receipts.map((receipt) => receipt?.call_id),
      [undefined, ...decided.map(({ entry }) => entry.call_id)],
    );
    assert.deepEqual(stored.map(receiptOfRecord), receipts);
    assert.deepEqual(
      stored.flatMap((record) => (record.kind === "entry" ? [record.body.entry] : [])),
      [started, ...decided].map(({ entry }) => entry),
    );
    assert.ok(stored.every((record) => isAuthentic(record, publicKey)));
  });

  test("while the host does not acknowledge, a caller waits for a limited time, and then new records are refused", async () => {
    serve = () => new Promise(() => undefined);
    const held = journal();
    held.assertWritable();
    const waiting = held.append(instance, first);
    held.assertCaughtUp();
    await assert.rejects(waiting, { code: "AUDIT_STORE_UNAVAILABLE" });
    for (const assertion of [() => held.assertWritable(), () => held.assertCaughtUp()])
      assert.throws(assertion, { code: "AUDIT_STORE_UNAVAILABLE" });
  });

  test("after a late acknowledgement records are accepted again", async () => {
    const late = Promise.withResolvers<void>();
    serve = async (exchange) => {
      await bodyOf(exchange);
      await late.promise;
      await acknowledge(exchange);
    };
    const kept = journal();
    await assert.rejects(kept.append(instance, first), { code: "AUDIT_STORE_UNAVAILABLE" });
    assert.ok(kept.behind);
    late.resolve();
    for (let round = 0; round < 5; round += 1)
      await Promise.all(Array.from({ length: 300 }, () => kept.append(instance, first)));
    kept.assertWritable();
    kept.assertCaughtUp();
  });

  test("records are read however the host splits them, and a truncated record is a mismatch", async () => {
    const records = ["one", "two", "x".repeat(100_000)].map((text) => Buffer.from(text));
    const framed = Buffer.concat(records.flatMap((record) => [lengthOf(record), record]));
    let sent = framed;
    serve = async (exchange) => {
      await bodyOf(exchange);
      await exchange.respond({ status: 200, headers: {} });
      for (let at = 0; at < sent.length; at += 1_013) await exchange.write(sent.subarray(at, at + 1_013));
      await exchange.end();
    };
    const read = async (): Promise<string[]> => {
      const texts: string[] = [];
      for await (const record of journal().scan({})) texts.push(Buffer.from(examine(record)).toString());
      return texts;
    };
    assert.deepEqual(await read(), records.map(String));
    sent = framed.subarray(0, framed.length - 1);
    await assert.rejects(read(), { code: "AUDIT_STORE_MISMATCH" });
    sent = Buffer.from([0xff, 0xff, 0xff, 0xff, 0]);
    await assert.rejects(read(), { code: "AUDIT_STORE_MISMATCH" }, "a length beyond the limit is not waited for");
    assert.throws(() => decodeRecord(untrusted(records[0] ?? Buffer.alloc(0))), { code: "AUDIT_STORE_MISMATCH" });
  });
});
