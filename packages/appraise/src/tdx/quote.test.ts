import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../testing/shared.ts";
import { MAX_QUOTE_BYTES, MAX_QUOTE_FILE_BYTES, parseTdxQuote } from "./quote.ts";
import { readQeReport } from "./qe-report.ts";
import { makeQuote } from "./testing/platform.ts";
import { corpusFile } from "./testing/corpus.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;

interface IndexEntry {
  readonly file: string;
  readonly size: number;
  readonly fields: Readonly<Record<string, string | number | undefined>>;
}

test("every genuine quote reads as another implementation read it", { skip }, () => {
  const index = JSON.parse(
    new TextDecoder().decode(sharedFile("evidence/intel/INDEX.json") ?? new Uint8Array()),
  ) as readonly IndexEntry[];
  assert.ok(index.length >= 17);
  for (const { file, fields } of index) {
    const quote = parseTdxQuote(corpusFile(`quotes/${file}`));
    const { claimed } = quote;
    const qe = readQeReport(quote.qeReport);
    const little = (value: bigint): string => toHex(new Uint8Array(new BigUint64Array([value]).buffer));
    const read = {
      ver: quote.version,
      teetcbsvn: toHex(claimed.teeTcbSvn),
      mrseam: toHex(claimed.mrSeam),
      mrsignerseam: toHex(claimed.mrSignerSeam),
      seamattr: little(claimed.seamAttributes),
      tdattr: little(claimed.tdAttributes),
      xfam: little(claimed.xfam),
      mrtd: toHex(claimed.mrTd),
      mrconfigid: toHex(claimed.mrConfigId),
      mrowner: toHex(claimed.mrOwner),
      mrownerconfig: toHex(claimed.mrOwnerConfig),
      rtmr0: toHex(claimed.rtmrs[0]),
      rtmr1: toHex(claimed.rtmrs[1]),
      rtmr2: toHex(claimed.rtmrs[2]),
      rtmr3: toHex(claimed.rtmrs[3]),
      reportdata: toHex(claimed.reportData),
      teetcbsvn2: claimed.teeTcbSvn2 === null ? undefined : toHex(claimed.teeTcbSvn2),
      mrservicetd: claimed.mrServiceTd === null ? undefined : toHex(claimed.mrServiceTd),
      user_data: toHex(quote.userData),
      inner_cert_type: quote.certification.type,
      qe_auth_len: quote.qeAuthenticationData.length,
      qe_isvsvn: qe.isvSvn,
      qe_isvprodid: qe.isvProdId,
      qe_mrsigner: toHex(qe.mrSigner),
      qe_attr: toHex(qe.attributes),
    };
    assert.deepEqual(read, Object.fromEntries(Object.keys(read).map((key) => [key, fields[key]])), file);
  }
});

const v4 = await makeQuote();
const v5 = await makeQuote({ version: 5, bodyType: 3, body: { 600: new Uint8Array(48).fill(9) } });
const refused = (bytes: Uint8Array, message: RegExp): void => {
  assert.throws(() => parseTdxQuote(bytes), { code: "EVIDENCE_MALFORMED", message });
};
const patched = (bytes: Uint8Array, offset: number, ...values: readonly number[]): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy.set(values, offset);
  return copy;
};

test("version 5 carries a report of TDX 1.0 or 1.5, version 4 one of 1.0", async () => {
  assert.deepEqual([parseTdxQuote(v4).reportVersion, parseTdxQuote(v4).claimed.mrServiceTd], ["1.0", null]);
  assert.deepEqual(
    [parseTdxQuote(v5).reportVersion, parseTdxQuote(v5).claimed.mrServiceTd],
    ["1.5", new Uint8Array(48).fill(9)],
  );
  const v5of10 = parseTdxQuote(await makeQuote({ version: 5, bodyType: 2 }));
  assert.deepEqual([v5of10.version, v5of10.reportVersion, v5of10.signed.length], [5, "1.0", 638]);
});

test("zero bytes may follow a quote, nothing else, up to the largest buffer of a guest driver", () => {
  const padded = (length: number, last = 0): Uint8Array =>
    patched(Uint8Array.from([...v4, ...new Uint8Array(length - v4.length)]), length - 1, last);
  assert.deepEqual(parseTdxQuote(padded(MAX_QUOTE_FILE_BYTES)).signature, parseTdxQuote(v4).signature);
  refused(padded(MAX_QUOTE_BYTES, 1), /other than zero follow/);
  refused(padded(v4.length + 1, 1), /other than zero follow/);
  refused(padded(MAX_QUOTE_FILE_BYTES + 1), /limit/);
});

test("a quote as a DICE token is refused by name", () => {
  for (const start of [
    [0xd2, 0x84],
    [0xd8, 0x3d, 0xd2],
    [0x84, 0x43],
  ])
    refused(Uint8Array.from([...start, ...new Uint8Array(600)]), /DICE token \(CBOR Web Token\)/);
  refused(new Uint8Array(MAX_QUOTE_BYTES + 1).fill(0xa5), /DICE token \(CBOR Web Token\)/);
  refused(
    patched(Uint8Array.from([...v4, ...new Uint8Array(MAX_QUOTE_BYTES)]), 632, 0, 0x20),
    /more than 8192 bytes is no DCAP quote/,
  );
});

test("headers of other quotes are refused by name", () => {
  refused(patched(v4, 0, 3), /version 3/);
  refused(patched(v4, 0, 6), /version 6/);
  refused(patched(v4, 2, 3), /key type 3/);
  refused(patched(v4, 4, 0), /TEE type 0/);
  refused(patched(v4, 12, 0), /vendor/);
  refused(patched(v5, 48, 1), /body of type 1;/);
  refused(patched(v5, 48, 4), /body of type 4;/);
  refused(patched(v5, 50, 0x89), /TD report 1\.5 of 649 bytes/);
  refused(patched(v5, 48, 2), /TD report 1\.0 of 648 bytes/);
});

test("lengths inside the signature data have to use up what is around them", () => {
  const signatureData = 636;
  const certificationLength = signatureData + 128 + 2;
  const authenticationLength = certificationLength + 4 + 448;
  const chainLength = authenticationLength + 2 + 32 + 2;
  const shifted = (offset: number, by: number): Uint8Array => patched(v4, offset, ((v4[offset] ?? 0) + by) & 0xff);
  for (const offset of [632, certificationLength, authenticationLength, chainLength]) {
    const low = v4[offset] ?? 0;
    refused(shifted(offset, low < 255 ? 1 : -1), /truncated|too many|follow/);
    refused(shifted(offset, low > 0 ? -1 : 1), /truncated|too many|follow/);
  }
  refused(patched(v4, signatureData + 128, 5), /type 5 instead of the quoting enclave's report \(6\)/);
});

test("no byte may hide between the parts of the signature data", () => {
  const longer = (...lengths: readonly number[]): Uint8Array => {
    const bytes = Uint8Array.from([...v4, 0]);
    const view = new DataView(bytes.buffer);
    for (const offset of lengths) view.setUint32(offset, view.getUint32(offset, true) + 1, true);
    return bytes;
  };
  refused(longer(632), /signature data: 1 bytes too many/);
  refused(longer(632, 766), /certification data: 1 bytes too many/);
});

test("every truncation is refused", () => {
  for (const quote of [v4, v5])
    for (let length = 0; length < quote.length; length += 1) refused(quote.subarray(0, length), /./);
});

test("no bytes make the parser throw anything but its own error", () => {
  const random = fc.uint8Array({ maxLength: 2000 });
  const mutated = fc
    .tuple(fc.constantFrom(v4, v5), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }), fc.nat())
    .map(([quote, changes, cut]) => {
      const copy = Uint8Array.from(quote);
      for (const [offset, value] of changes) copy[offset % copy.length] = value;
      return copy.subarray(0, cut % (copy.length + 1) || copy.length);
    });
  fc.assert(
    fc.property(fc.oneof(random, mutated), (bytes) => {
      try {
        assert.ok(parseTdxQuote(bytes).claimed.mrTd.length === 48);
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, "EVIDENCE_MALFORMED");
      }
    }),
    { numRuns: 1000 },
  );
});
