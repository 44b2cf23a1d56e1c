import assert from "node:assert/strict";
import { webcrypto, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { corpusCertificates } from "../testing/corpus.ts";
import { CA_USES, extension, issue } from "../testing/authority.ts";
import { NO_SHARED_FOLDER, sharedFile } from "../testing/shared.ts";
import { Certificate } from "./certificate.ts";
import { parsePemCertificates } from "./pem.ts";
import { RevocationList } from "./revocation-list.ts";
import { verifySignedBy } from "./signature.ts";

const corpus = corpusCertificates();
const skip = corpus.length === 0 ? NO_SHARED_FOLDER : false;

function parsed<T>(parse: (der: Uint8Array) => T): T[] {
  return corpus.flatMap(({ der }) => {
    try {
      return [parse(der)];
    } catch {
      return [];
    }
  });
}

test("every genuine certificate and list of the corpus is read, and as Node reads it", { skip }, () => {
  assert.ok(corpus.length > 60);
  let lists = 0;
  for (const { file, der } of corpus) {
    let node: X509Certificate;
    try {
      node = new X509Certificate(der);
    } catch {
      assert.ok(RevocationList.parse(der).size >= 0, file);
      lists += 1;
      continue;
    }
    const certificate = Certificate.parse(der);
    assert.equal(BigInt(`0x${certificate.serialHex}`), BigInt(`0x${node.serialNumber}`), file);
    assert.deepEqual([certificate.notBefore, certificate.notAfter], [node.validFromDate, node.validToDate], file);
    assert.deepEqual(Buffer.from(certificate.spki), node.publicKey.export({ type: "spki", format: "der" }), file);
    assert.equal(certificate.isCa, node.ca, file);
    assert.equal(
      certificate.subjectText.split(", ").find((part) => part.startsWith("CN=")),
      (node.subject ?? "").split("\n").find((part) => part.startsWith("CN=")),
      file,
    );
    assert.deepEqual(certificate.unknownCritical, [], file);
  }
  assert.ok(lists >= 6);
});

test("every certificate and list whose issuer is in the corpus verifies under it, and a changed one does not", {
  skip,
}, async () => {
  const certificates = parsed((der) => Certificate.parse(der));
  const signed = [...certificates, ...parsed((der) => RevocationList.parse(der))];
  let verified = 0;
  for (const one of signed) {
    const issuers = certificates.filter(({ subject }) => Buffer.from(subject).equals(one.issuer));
    for (const { spki } of issuers) {
      if (!(await verifySignedBy(webcrypto, one, spki))) continue;
      verified += 1;
      const tbs = Uint8Array.from(one.tbs);
      tbs[tbs.length >> 1] = (tbs[tbs.length >> 1] ?? 0) ^ 1;
      assert.equal(
        await verifySignedBy(webcrypto, { algorithm: one.algorithm, signature: one.signature, tbs }, spki),
        false,
      );
    }
  }
  assert.ok(verified >= 50, `${verified} verified`);
});

const arkFile = "evidence/amd/ca/ask_ark_milan.pem";

test("PEM text is read with text around it and NUL padding behind it", { skip }, () => {
  const pem = sharedFile(arkFile) ?? new Uint8Array();
  const noisy = Uint8Array.from([...Buffer.from("Bag Attributes\n"), ...pem, 0, 0, 0]);
  const found = parsePemCertificates(noisy, 2);
  assert.deepEqual(
    found.map(({ subjectText }) => /CN=(.*)$/.exec(subjectText)?.[1]),
    ["SEV-Milan", "ARK-Milan"],
  );
  const text = Buffer.from(pem).toString("latin1");
  const refused: readonly (readonly [string, RegExp])[] = [
    ["", /without a certificate/],
    [text.replaceAll("CERTIFICATE", "PRIVATE KEY"), /not a CERTIFICATE/],
    [text.slice(0, -20), /not complete/],
    [text.replace("MII", "MI!"), /not complete/],
    [text.replace("MII", "MI"), /not base64/],
    [text.repeat(2), /4 PEM blocks, limit 2/],
    [" ".repeat(200_000), /limit/],
  ];
  for (const [changed, message] of refused)
    assert.throws(() => parsePemCertificates(Buffer.from(changed, "latin1"), 2), {
      code: "EVIDENCE_MALFORMED",
      message,
    });
});

test("zeros that are no padding take no longer for each", () => {
  const file = Buffer.from(`-----BEGIN CERTIFICATE-----${"\0".repeat(1_000_000)}x`);
  // In a context of its own, whose end comes from outside: nothing in it would be asked before the search is over.
  const parse = (): unknown =>
    runInNewContext("parse()", { parse: () => parsePemCertificates(file, 16) }, { timeout: 20_000 });
  assert.throws(parse, { code: "EVIDENCE_MALFORMED", message: /not complete/ });
});

test("what two readers could take differently is refused", async () => {
  const twice = [extension("1.2.3.4", false, Uint8Array.of(5, 0)), extension("1.2.3.4", false, Uint8Array.of(5, 0))];
  const doubled = await issue({ subject: "CN=doubled", extensions: twice });
  assert.throws(() => Certificate.parse(doubled.der), {
    code: "EVIDENCE_MALFORMED",
    message: /extension 1\.2\.3\.4 twice/,
  });

  const { der } = await issue({ subject: "CN=sound", ca: true, pathLength: 0, uses: CA_USES });
  const sound = Certificate.parse(der);
  assert.deepEqual([sound.isCa, sound.pathLength, [...(sound.keyUsage ?? [])]], [true, 0, ["keyCertSign", "cRLSign"]]);
  assert.throws(() => Certificate.parse(Uint8Array.from([...der, 0])), {
    code: "EVIDENCE_MALFORMED",
    message: /bytes too many/,
  });
  const inside = Uint8Array.from([...der, 5, 0]);
  assert.equal(inside[1], 0x82);
  new DataView(inside.buffer).setUint16(2, inside.length - 4);
  assert.throws(() => Certificate.parse(inside), { code: "EVIDENCE_MALFORMED", message: /bytes too many/ });
  assert.throws(() => Certificate.parse(new Uint8Array(16_385)), {
    code: "EVIDENCE_MALFORMED",
    message: /limit/,
  });

  const algorithm = Buffer.from("06082a8648ce3d040303", "hex");
  const outside = Uint8Array.from(der);
  outside[Buffer.from(der).lastIndexOf(algorithm) + algorithm.length - 1] = 2;
  assert.throws(() => Certificate.parse(outside), { code: "EVIDENCE_MALFORMED", message: /two signature algorithms/ });

  const version = Uint8Array.from(der);
  version[Buffer.from(der).indexOf(Buffer.from("a003020102", "hex")) + 4] = 1;
  assert.throws(() => Certificate.parse(version), { code: "EVIDENCE_MALFORMED", message: /version 3/ });

  const odd = await issue({ subject: "CN=odd", extensions: [extension("1.2.3.4", true, Uint8Array.of(5, 0))] });
  assert.deepEqual(Certificate.parse(odd.der).unknownCritical, ["1.2.3.4"]);
});

test("a name is shown without control characters", async () => {
  const { der } = await issue({ subject: "CN=two\u001b[2Jlines" });
  assert.equal(Certificate.parse(der).subjectText, String.raw`CN=two\u{1b}[2Jlines`);
});

test("no bytes make the reader throw anything but its one error", async () => {
  const { der } = await issue({ subject: "CN=sound", ca: true, uses: CA_USES });
  const mutated = fc
    .tuple(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(der.length))
    .map(([at, mask, cut]) => {
      const bytes = Uint8Array.from(der);
      bytes[at] = (bytes[at] ?? 0) ^ mask;
      return cut % 4 === 0 ? bytes.subarray(0, cut) : bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
      for (const parse of [
        (input: Uint8Array) => Certificate.parse(input).subjectText,
        (input: Uint8Array) => RevocationList.parse(input).issuerText,
        (input: Uint8Array) => parsePemCertificates(input, 3),
      ]) {
        try {
          parse(bytes);
        } catch (thrown) {
          assert.ok(thrown instanceof CmcpError && thrown.code === "EVIDENCE_MALFORMED", String(thrown));
        }
      }
    }),
    { numRuns: 2000 },
  );
});
