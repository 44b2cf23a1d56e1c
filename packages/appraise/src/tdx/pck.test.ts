import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { extension } from "../testing/authority.ts";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../testing/shared.ts";
import { Certificate } from "../x509/certificate.ts";
import { parsePemCertificates } from "../x509/pem.ts";
import { pckPlatform, SGX_EXTENSION } from "./pck.ts";
import { parseTdxQuote } from "./quote.ts";
import { corpusFile } from "./testing/corpus.ts";
import { issuePck, pck, sgxExtension, sgxOctets, tcbSigner, type SgxOptions } from "./testing/platform.ts";

test("every genuine PCK certificate reads as another implementation read it", {
  skip: sharedFolder() === null ? NO_SHARED_FOLDER : false,
}, () => {
  const index = JSON.parse(
    new TextDecoder().decode(sharedFile("evidence/intel/INDEX.json") ?? new Uint8Array()),
  ) as readonly { file: string; fields: { tcb?: (number | string)[]; pceid?: string; fmspc?: string } }[];
  const known = index.filter(({ fields }) => fields.tcb !== undefined);
  assert.ok(known.length >= 16);
  for (const { file, fields } of known) {
    const [leaf] = parsePemCertificates(parseTdxQuote(corpusFile(`quotes/${file}`)).certification.data, 8);
    assert.ok(leaf !== undefined);
    assert.deepEqual(
      pckPlatform(leaf),
      { components: fields.tcb?.slice(0, 16), pceSvn: fields.tcb?.[16], pceId: fields.pceid, fmspc: fields.fmspc },
      file,
    );
  }
});

const read = async (sgx: Uint8Array): Promise<unknown> => pckPlatform(Certificate.parse((await issuePck(sgx)).der));
const refused = async (options: SgxOptions | Uint8Array, message: RegExp): Promise<void> => {
  await assert.rejects(read(options instanceof Uint8Array ? options : sgxExtension(options)), {
    code: "EVIDENCE_MALFORMED",
    message,
  });
};

test("a security version number has one byte, PCESVN two", async () => {
  const components = Array.from({ length: 16 }, (_, index) => 240 + index);
  assert.deepEqual(await read(sgxExtension({ components, pceSvn: 0xff })), {
    components,
    pceSvn: 0xff,
    pceId: "0000",
    fmspc: "aabbcc000001",
  });
});

test("an extension that lacks, repeats or misshapes a field is refused", async () => {
  await refused({ fmspc: new Uint8Array(5) }, /5 bytes for .*\.4/);
  await refused({ pceId: new Uint8Array(3) }, /3 bytes for .*\.3/);
  await refused({ components: Array.from({ length: 16 }, () => 256) }, /has 256 for .*\.2\.1$/);
  await refused({ components: Array.from({ length: 15 }, () => 1) }, /lacks .*\.2\.16/);
  await refused({ extra: [sgxOctets([4], new Uint8Array(6))] }, /\.4 twice/);
  await refused(
    { extra: Array.from({ length: 40 }, (_, index) => sgxOctets([50 + index], new Uint8Array(1))) },
    /too many fields/,
  );
  await refused({ extra: [sgxOctets([50], new Uint8Array(1), new Uint8Array(1))] }, /bytes too many/);
  await refused(Uint8Array.of(0x30, 0), /lacks/);
  await refused(Uint8Array.from([...sgxExtension(), 0]), /bytes too many/);
  assert.throws(() => pckPlatform(Certificate.parse(tcbSigner.der)), { code: "EVIDENCE_MALFORMED", message: /absent/ });
  assert.equal(pckPlatform(Certificate.parse(pck.der)).fmspc, "aabbcc000001");
});

test("no extension makes the reader throw anything but its own error", async () => {
  const sound = sgxExtension();
  const mutated = fc
    .array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const copy = Uint8Array.from(sound);
      for (const [offset, value] of changes) copy[offset] = value;
      return copy;
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), async (sgx) => {
      const { der } = await issuePck(new Uint8Array(), {
        extensions: [extension(SGX_EXTENSION, false, sgx)],
        keys: pck.keys,
      });
      try {
        assert.equal(pckPlatform(Certificate.parse(der)).components.length, 16);
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, "EVIDENCE_MALFORMED");
      }
    }),
    { numRuns: 200 },
  );
});
