import assert from "node:assert/strict";
import { test } from "node:test";
import { cpuSignature, cpuTypeSignature, CPU_TYPE_NAMES } from "./cpu-signature.ts";

test("a signature is made of family, model and stepping", () => {
  assert.deepEqual(
    [cpuSignature(23, 1, 2), cpuSignature(25, 17, 0), cpuSignature(6, 0, 0), cpuSignature(15, 255, 15)],
    [0x80_0f12, 0xa1_0f10, 0x600, 0x0f_0fff],
  );
  for (const [family, model, stepping] of [
    [271, 0, 0],
    [-1, 0, 0],
    [1, 256, 0],
    [1, 0, 16],
    [1.5, 0, 0],
  ] as const) {
    assert.throws(() => cpuSignature(family, model, stepping), { code: "MEASURE_INPUT_INVALID" });
  }
});

test("QEMU's models by name", () => {
  const known = {
    "EPYC-v4": 0x80_0f12,
    "EPYC-Rome": 0x83_0f10,
    "EPYC-Milan-v2": 0xa0_0f11,
    "EPYC-Genoa": 0xa1_0f10,
    "EPYC-Turin": 0xb0_0f00,
  };
  for (const [name, signature] of Object.entries(known)) assert.equal(cpuTypeSignature(name), signature);
  assert.ok(CPU_TYPE_NAMES.includes("EPYC-Turin"));
  for (const name of ["epyc", "", "constructor"])
    assert.throws(() => cpuTypeSignature(name), { code: "MEASURE_INPUT_INVALID" });
});
