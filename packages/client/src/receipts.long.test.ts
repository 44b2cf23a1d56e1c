import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import type { Receipt } from "@cmcp/audit";
import { Receipts } from "./receipts.ts";
import { ScriptedEnclave } from "./testing/scripted-enclave.ts";

const CALL = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } };
const LAST = { jsonrpc: "2.0", id: 1, result: { content: [] } };

test("a receipt that thousands overtook is not taken twice", async () => {
  const enclave = new ScriptedEnclave();
  const bodies = Array.from({ length: 4_097 }, () => enclave.record(CALL, [LAST], {}, false).receipt);
  const places = enclave.places();
  const receipts = new Receipts({
    crypto: webcrypto,
    signingKey: enclave.instance.jwk.x,
    onReceipt: () => undefined,
    onHead: () => undefined,
  });
  const { floor } = receipts;
  const take = async (at: number): Promise<Receipt> => {
    const { log: _, ...body } = bodies[at] ?? assert.fail();
    return await receipts.take({ ...body, log: { ...(places[at + 1] ?? assert.fail()) } }, floor);
  };
  for (const at of bodies.keys()) await take(at);
  for (const at of [0, 1, 4_096]) await assert.rejects(take(at), { code: "RECEIPT_INVALID" });
});
