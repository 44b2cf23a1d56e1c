import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { checkMeasurements, type Measurements } from "./measurements.ts";
import { otherParts } from "./other-parts.ts";

const [KERNEL, INITRD] = [hash("sha256", "kernel"), hash("sha256", "initrd")];
/** What OVMF of 2025.02 passes to the kernel, in UTF-16 with its NUL. */
const optionsOf = (line: string): string => hash("sha256", Buffer.from(`initrd=initrd ${line}\0`, "utf16le"));

const MEASUREMENTS: Measurements = checkMeasurements({
  format: "cmcp-measurements-v1",
  image: { name: "image", version: "1", files: [{ name: "initramfs", role: "initrd", sha256: INITRD, bytes: 1 }] },
  accepted: [
    {
      platform: "tpm",
      shape: { boot: "uki", bank: "sha256" },
      command_line: null,
      files: ["initramfs"],
      registers: {
        pcr4: [hash("sha256", "uki")],
        pcr9: [hash("sha256", "9")],
        pcr11: [hash("sha256", "11")],
        pcr12: [hash("sha256", "12")],
      },
    },
    {
      platform: "tpm",
      shape: { boot: "kernel", bank: "sha256" },
      command_line: "console=null panic=-1",
      files: ["initramfs"],
      registers: { pcr4: [KERNEL], pcr9: [hash("sha256", "both")], pcr11: ["0".repeat(64)], pcr12: ["0".repeat(64)] },
    },
  ],
});
const values = { pcr4: KERNEL, pcr9: hash("sha256", "another"), pcr11: "0".repeat(64), pcr12: "0".repeat(64) };
const partsOf = (logged: readonly string[] | null, change: Partial<typeof values> = {}): string[] =>
  otherParts(MEASUREMENTS, { ...values, ...change }, logged === null ? {} : { pcr9: logged }).map(({ part }) => part);
const OPTIONS = optionsOf("console=null panic=-1");

test("each part of a machine is told from the others", () => {
  assert.deepEqual(partsOf([optionsOf("console=null panic=-2"), INITRD]), ["command line"]);
  assert.deepEqual(partsOf([OPTIONS, hash("sha256", "another initrd")]), ["initramfs"]);
  assert.deepEqual(partsOf([optionsOf("x"), hash("sha256", "y")], { pcr4: hash("sha256", "z") }), [
    "kernel",
    "command line",
    "initramfs",
  ]);
  assert.deepEqual(
    partsOf([OPTIONS, INITRD, hash("sha256", "something else too")]),
    [],
    "the register differs, no part of it does",
  );
});

test("without a log only the kernel can be told, and of a unified image nothing", () => {
  assert.deepEqual(partsOf(null, { pcr4: hash("sha256", "z") }), ["kernel"]);
  assert.deepEqual(partsOf(null), []);
  assert.deepEqual(partsOf([], { pcr11: hash("sha256", "sections") }), []);
  assert.deepEqual(otherParts({ ...MEASUREMENTS, accepted: [] }, values, {}), []);
});
