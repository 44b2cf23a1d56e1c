import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { parseCertificateTable } from "./certificate-table.ts";
import { certificateTable, GUID } from "./testing/certificate-table.ts";

test("each certificate is found under its kind, whatever else the host adds", () => {
  const table = certificateTable([
    [GUID.vcek, Uint8Array.from([1, 2, 3])],
    ["00112233-4455-6677-8899-aabbccddeeff", Uint8Array.from([9])],
    [GUID.ask, Uint8Array.from([4])],
    [GUID.ark, new Uint8Array()],
  ]);
  assert.deepEqual(
    [...parseCertificateTable(table)],
    [
      ["vcek", Uint8Array.from([1, 2, 3])],
      ["ask", Uint8Array.from([4])],
    ],
  );
  assert.equal(parseCertificateTable(new Uint8Array()).size, 0);
  assert.equal(parseCertificateTable(new Uint8Array(24)).size, 0);
});

test("a host may write GUIDs in the byte order of UEFI", () => {
  const vcek = "8d75da63-64e6-6445-adc5-f4b93be8accd";
  assert.deepEqual(
    [...parseCertificateTable(certificateTable([[vcek, Uint8Array.of(7)]]))],
    [["vcek", Uint8Array.of(7)]],
  );
});

test("a table that leads out of itself, has no end or no bound is refused", () => {
  const good = certificateTable([[GUID.vcek, new Uint8Array(10)]]);
  const beyond = good.slice();
  beyond[20] = 11;
  const far = good.slice();
  far.fill(0xff, 16, 20);
  const endless = certificateTable(Array.from({ length: 40 }, () => [GUID.vcek, new Uint8Array(1)] as const));
  const large = certificateTable([[GUID.vcek, new Uint8Array(16 * 1024 + 1)]]);
  for (const table of [beyond, far, endless, large, good.subarray(0, 24), good.subarray(0, 23)]) {
    assert.throws(() => parseCertificateTable(table), { code: "EVIDENCE_MALFORMED" });
  }
});

test("any bytes are a table or a typed refusal", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(fc.nat(177), fc.nat(255))
      .map(([at, value]) => certificateTable([[GUID.vlek, new Uint8Array(130)]]).with(at, value)),
  );
  fc.assert(
    fc.property(bytes, (table) => {
      try {
        for (const certificate of parseCertificateTable(table).values()) assert.ok(certificate.length <= table.length);
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED");
      }
    }),
  );
});
