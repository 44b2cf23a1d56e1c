import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { PrincipalTable } from "./principal-table.ts";

void describe("a table of principals", () => {
  void it("searches for what counts nothing once a second", () => {
    const table = new PrincipalTable<{ isBlank: () => boolean }>(() => ({ isBlank: () => false }), 2);
    const first = table.of("first", 0);
    assert.ok(first !== null && table.of("second", 0) !== null);
    assert.equal(table.of("third", 0), null);
    first.isBlank = () => true;
    assert.equal(table.hasRoomFor("third", 999), false);
    assert.equal(table.hasRoomFor("third", 1000), true);
    assert.equal(table.find("first"), undefined);
    table.forget("second");
    assert.equal(table.size, 0);
  });

  void it("never holds more than its bound, and drops only what counts nothing", () => {
    const names = fc.array(fc.record({ name: fc.nat(30), blank: fc.boolean(), after: fc.nat(2000) }));
    fc.assert(
      fc.property(names, (uses) => {
        const states = new Map<string, { isBlank: () => boolean }>();
        const table = new PrincipalTable<{ isBlank: () => boolean }>(() => ({ isBlank: () => false }), 5);
        let now = 0;
        for (const { name, blank, after } of uses) {
          now += after;
          const state = table.of(`${name}`, now);
          if (state === null) continue;
          state.isBlank = () => blank;
          states.set(`${name}`, state);
          assert.ok(table.size <= 5);
        }
        for (const [name, state] of states) if (!state.isBlank()) assert.equal(table.find(name), state);
      }),
    );
  });
});
