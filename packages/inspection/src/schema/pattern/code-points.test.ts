import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ANY_IN_LINE, classOf, complement, ofEscape, ordered, type Ranges } from "./code-points.ts";

const LAST = 0x10_ff_ff;
/** Small numbers, so that ranges touch and overlap, and those at the end of all code points. */
const point = fc.oneof(fc.nat(12), fc.integer({ min: LAST - 6, max: LAST }));
const ranges: fc.Arbitrary<Ranges> = fc.array(
  fc.tuple(point, point).map(([one, other]) => (one < other ? ([one, other] as const) : ([other, one] as const))),
  { maxLength: 6 },
);
const isIn = (of: Ranges, one: number): boolean => of.some(([first, last]) => first <= one && one <= last);
const probes = [
  ...Array.from({ length: 16 }, (_, index) => index),
  ...Array.from({ length: 10 }, (_, index) => LAST - index),
];

/** Each range ends before the next begins, with a code point between the two that is in neither. */
function assertShortest(of: Ranges): void {
  for (const [index, [first, last]] of of.entries()) {
    assert.ok(0 <= first && first <= last && last <= LAST, JSON.stringify(of));
    assert.ok(index === 0 || (of[index - 1]?.[1] ?? first) + 1 < first, JSON.stringify(of));
  }
}

test("ranges in order are the same code points, in as few ranges as there can be", () => {
  fc.assert(
    fc.property(ranges, (some) => {
      const one = ordered(some);
      assertShortest(one);
      for (const probe of probes) assert.equal(isIn(one, probe), isIn(some, probe), `${probe}`);
    }),
  );
  assert.deepEqual(
    ordered([
      [3, 4],
      [1, 2],
      [6, 6],
    ]),
    [
      [1, 4],
      [6, 6],
    ],
  );
});

test("the complement is every other code point", () => {
  fc.assert(
    fc.property(ranges, (some) => {
      const others = complement(ordered(some));
      assertShortest(others);
      for (const probe of probes) assert.equal(isIn(others, probe), !isIn(some, probe), `${probe}`);
    }),
  );
  assert.deepEqual(complement([]), [[0, LAST]]);
  assert.deepEqual(complement([[0, LAST]]), []);
  assert.deepEqual(complement([[LAST, LAST]]), [[0, LAST - 1]]);
});

test("each class escape is what the platform takes it for, at every code point", () => {
  for (const [of, matcher] of [
    [ANY_IN_LINE, /^.$/u],
    ...["\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\p{Lu}"].map(
      (escape) => [ofEscape(escape), new RegExp(`^${escape}$`, "u")] as const,
    ),
  ] as const) {
    assertShortest(of);
    const edges = of.flatMap(([first, last]) => [first - 1, first, last, last + 1]);
    for (const one of [0, LAST, ...edges])
      if (one >= 0 && one <= LAST)
        assert.equal(matcher.test(String.fromCodePoint(one)), isIn(of, one), `${matcher} ${one}`);
  }
});

test("a class is written in numbers, and that of nothing leaves out everything", () => {
  assert.equal(
    classOf([
      [0x41, 0x5a],
      [0x5f, 0x5f],
    ]),
    "[\\x{41}-\\x{5a}\\x{5f}]",
  );
  assert.equal(classOf([]), "[^\\x{0}-\\x{10ffff}]");
});
