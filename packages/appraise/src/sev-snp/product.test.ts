import assert from "node:assert/strict";
import { test } from "node:test";
import { chipIdBytes, productOfCpuid, productOfName } from "./product.ts";

test("a processor's family and model say its line, at both ends of each range", () => {
  for (const [family, model, product] of [
    [0x19, 0x00, "Milan"],
    [0x19, 0x0f, "Milan"],
    [0x19, 0x10, "Genoa"],
    [0x19, 0x1f, "Genoa"],
    [0x19, 0x20, undefined],
    [0x19, 0x9f, undefined],
    [0x19, 0xa0, "Genoa"],
    [0x19, 0xaf, "Genoa"],
    [0x19, 0xb0, undefined],
    [0x1a, 0x00, "Turin"],
    [0x1a, 0x1f, "Turin"],
    [0x1a, 0x20, undefined],
    [0x18, 0x00, undefined],
    [0x1b, 0x00, undefined],
  ] as const)
    assert.equal(productOfCpuid({ family, model, stepping: 0 }), product, `${family} ${model}`);
});

test("a certificate's product name says its line, whatever the stepping", () => {
  for (const [name, product] of [
    ["Milan", "Milan"],
    ["Milan-B0", "Milan"],
    ["Genoa-B1", "Genoa"],
    ["Bergamo", "Genoa"],
    ["Siena-A0", "Genoa"],
    ["Turin-C1", "Turin"],
    ["Rome", undefined],
    ["", undefined],
    ["milan", undefined],
  ] as const)
    assert.equal(productOfName(name), product, name);
  assert.deepEqual((["Milan", "Genoa", "Turin"] as const).map(chipIdBytes), [64, 64, 8]);
});
