import assert from "node:assert/strict";
import { test } from "node:test";
import { StandingPlaces } from "./standing.ts";

test("who needs a place gets that of the connection that was idle longest, and nobody that of one in use", () => {
  const places = new StandingPlaces(3);
  const closed: string[] = [];
  const busy = new Set(["a"]);
  const take = (name: string): ReturnType<StandingPlaces["take"]> =>
    places.take(
      () => !busy.has(name),
      () => void closed.push(name),
    );
  const [, second] = ["a", "b", "c"].map(take);
  second?.used();
  take("d");
  take("e");
  assert.deepEqual(closed, ["c", "b"]);
  // It has lost its place already.
  second?.used();
  for (const name of ["d", "e"]) busy.add(name);
  assert.throws(() => take("f"), { code: "OVERLOADED", detail: { sent: 0 } });
  busy.delete("a");
  take("f").free();
  take("g");
  assert.deepEqual(closed, ["c", "b", "a"]);
});
