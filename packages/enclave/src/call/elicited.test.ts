import assert from "node:assert/strict";
import { test } from "node:test";
import { Elicited } from "./elicited.ts";

test("only a URL that was elicited by an id completes, once", () => {
  const elicited = new Elicited();
  elicited.put("elicitation/create", { mode: "url", elicitationId: "a" });
  elicited.put("elicitation/create", { mode: "form", elicitationId: "form" });
  elicited.put("sampling/createMessage", { mode: "url", elicitationId: "sampling" });
  elicited.put("elicitation/create", { mode: "url", elicitationId: 1 });
  elicited.put("elicitation/create", { mode: "url", elicitationId: "x".repeat(257) });
  const completes = (elicitationId: string | number) => elicited.completes({ elicitationId });
  for (const id of ["form", "sampling", 1, "x".repeat(257), "b"]) assert.equal(completes(id), false, String(id));
  assert.deepEqual([completes("a"), completes("a"), elicited.completes({})], [true, false, false]);
});

test("so many are remembered, the newest", () => {
  const elicited = new Elicited();
  for (let n = 0; n < 65; n += 1) elicited.put("elicitation/create", { mode: "url", elicitationId: `${n}` });
  assert.deepEqual(
    ["0", "1", "64"].map((elicitationId) => elicited.completes({ elicitationId })),
    [false, true, true],
  );
});
