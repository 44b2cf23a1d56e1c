import assert from "node:assert/strict";
import { test } from "node:test";
import { AppendQueue } from "./append-queue.ts";
import { BlobStore } from "./blob-store.ts";

const key = (seq: number) => ({ instance: "i", seq, session: "s", kind: "k" });
const stored = (store: BlobStore): string[] => [...store.scan({})].flat().map((body) => Buffer.from(body).toString());

test("records that arrive together are stored in their order, and only then acknowledged", async () => {
  const store = new BlobStore(null);
  const queue = new AppendQueue(store);
  const answers = Array.from({ length: 200 }, (_, seq) => queue.append(key(seq), Buffer.from(String(seq))));
  assert.deepEqual(stored(store), [], "nothing is stored, and nothing acknowledged, within the turn they arrive in");
  await Promise.all(answers);
  assert.deepEqual(stored(store), Array.from({ length: 200 }, (_, seq) => String(seq)));
  store.close();
});

test("one that cannot be stored takes no other with it", async () => {
  const store = new BlobStore(null);
  const queue = new AppendQueue(store);
  store.append(key(1), Buffer.from("taken"));
  const results = await Promise.allSettled([0, 1, 2].map((seq) => queue.append(key(seq), Buffer.from(`new ${seq}`))));
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.deepEqual(stored(store).sort(), ["new 0", "new 2", "taken"]);
  store.close();
});
