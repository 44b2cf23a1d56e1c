import assert from "node:assert/strict";
import { test } from "node:test";
import { UrlElicitations } from "./url-elicitations.ts";

test("only a URL that was elicited by an id completes, once", () => {
  const elicited = new UrlElicitations();
  elicited.add("elicitation/create", { mode: "url", elicitationId: "a" });
  elicited.add("elicitation/create", { mode: "form", elicitationId: "form" });
  elicited.add("sampling/createMessage", { mode: "url", elicitationId: "sampling" });
  elicited.add("elicitation/create", { mode: "url", elicitationId: 1 });
  elicited.add("elicitation/create", { mode: "url", elicitationId: "x".repeat(257) });
  const completes = (elicitationId: string | number) => elicited.completes({ elicitationId });
  for (const id of ["form", "sampling", 1, "x".repeat(257), "b"]) assert.equal(completes(id), false, String(id));
  assert.deepEqual([completes("a"), completes("a"), elicited.completes({})], [true, false, false]);
});

test("so many are remembered, the newest", () => {
  const elicited = new UrlElicitations();
  for (let n = 0; n < 65; n += 1) elicited.add("elicitation/create", { mode: "url", elicitationId: `${n}` });
  assert.deepEqual(
    ["0", "1", "64"].map((elicitationId) => elicited.completes({ elicitationId })),
    [false, true, true],
  );
});
