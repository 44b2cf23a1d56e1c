import * as fc from "fast-check";
import type { WireMap, WireValue } from "../codec.ts";
import type { Frame } from "../frame.ts";
import { MAX_DATA_BYTES, MAX_LOG_SIZE } from "../limits.ts";

/** Text the profile carries: any Unicode but a leading byte order mark. */
export const text: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string({ unit: "grapheme", maxLength: 40 }),
    fc.constantFrom("", "constructor", "toString", "10", "9"),
  )
  .filter((value) => !value.startsWith("\ufeff"));
const key = text.filter((value) => value !== "__proto__");
const integer = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER),
);
const { value: wireValue } = fc.letrec<{ value: WireValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 5, withCrossShrink: true },
    integer,
    text,
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(key, tie("value"), { maxKeys: 5 }),
  ),
}));

/** Maps the profile carries. */
export const wireMap: fc.Arbitrary<WireMap> = fc.dictionary(key, wireValue, { maxKeys: 6, noNullPrototype: true });

const x = fc.integer({ min: 1, max: 0xffff_ffff });
const place = fc.nat({ max: MAX_LOG_SIZE });
const identifier = fc.stringMatching(/^[A-Za-z0-9._:-]{1,40}$/);
const headers = fc.dictionary(
  fc.stringMatching(/^[a-z0-9-]{1,20}$/),
  fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,40}$/),
  { maxKeys: 8, noNullPrototype: true },
);

/** Frames of every shape. */
export const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ t: fc.constantFrom("launch", "provision", "drain"), x }),
  fc.record({
    t: fc.constant("request" as const),
    x,
    method: fc.constantFrom("GET", "POST", "DELETE"),
    path: fc.stringMatching(/^\/[\x21-\x7e]{0,40}$/),
    headers,
  }),
  fc.record({
    t: fc.constant("egress" as const),
    x,
    host: fc.domain().map((host) => host.toLowerCase()),
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
  fc.record({ t: fc.constant("append" as const), x, first: place }),
  fc.record({ t: fc.constant("head" as const), x }),
  fc.record(
    { t: fc.constant("scan" as const), x, from: place, to: place, session: identifier, kind: identifier },
    { requiredKeys: ["t", "x"] },
  ),
  fc.record({ t: fc.constant("range" as const), x, size: place }),
  fc.record({ t: fc.constant("prove" as const), x, index: place, size: place }),
  fc.record({ t: fc.constant("cosign" as const), x }),
  fc.record({ t: fc.constant("tree" as const), x, tree: fc.stringMatching(/^\/[ -~ü]{1,40}$/) }),
  fc.record({ t: fc.constant("response" as const), x, status: fc.integer({ min: 200, max: 599 }), headers }),
  fc.record({
    t: fc.constant("body" as const),
    x,
    data: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.constant(new Uint8Array(MAX_DATA_BYTES))),
  }),
  fc.record({ t: fc.constant("end" as const), x }),
  fc.record({
    t: fc.constant("error" as const),
    x,
    code: fc.stringMatching(/^[A-Z][A-Z0-9_]{0,30}$/),
    message: fc.string({ unit: "grapheme", maxLength: 40 }).map((value) => value.replaceAll(/[\p{Cc}\ufeff]/gu, "")),
  }),
);
