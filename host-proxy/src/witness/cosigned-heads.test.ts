import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogHead } from "../store/log-store.ts";
import { CosignedHeads } from "./cosigned-heads.ts";

const head = (size: number): LogHead => ({ size, note: `${size}` });

test("one write is under way at a time, and of what came meanwhile the newest is kept", async () => {
  const kept: number[] = [];
  const gates = Array.from({ length: 2 }, () => Promise.withResolvers<void>());
  const begun = Promise.withResolvers<void>();
  const heads = new CosignedHeads(
    {
      keepCosigned: async ({ size }) => {
        kept.push(size);
        begun.resolve();
        await gates[kept.length - 1]?.promise;
      },
    },
    () => assert.fail("the store failed"),
  );
  heads.offer(head(1));
  assert.deepEqual(kept, [], "whoever offers goes on first");
  await begun.promise;
  for (const size of [2, 5, 3, 5]) heads.offer(head(size));
  assert.deepEqual(kept, [1]);
  for (const { resolve } of gates) resolve();
  await heads.close();
  assert.deepEqual(kept, [1, 5]);
  heads.offer(head(6));
  await heads.close();
  assert.deepEqual(kept, [1, 5, 6]);
});

test("a store that fails is said, and given the next head", async () => {
  const kept: number[] = [];
  const failures: unknown[] = [];
  const refused = new Error("full");
  const heads = new CosignedHeads(
    {
      keepCosigned: async ({ size }) => {
        if (size === 1) throw refused;
        kept.push(size);
      },
    },
    (thrown) => failures.push(thrown),
  );
  heads.offer(head(1));
  await heads.close();
  heads.offer(head(2));
  await heads.close();
  assert.deepEqual([failures, kept], [[refused], [2]]);
});
