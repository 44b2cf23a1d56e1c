import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { ecKeys, issue, issueList, SIGNS_DATA } from "../testing/authority.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { parseCollateral } from "./collateral.ts";
import type { TdxCollateral } from "./unverified-collateral.ts";
import { parseQeIdentity } from "./qe-identity.ts";
import { parseTcbInfo } from "./tcb-info.ts";
import { COLLATERAL, collateralFiles, corpusFile } from "./testing/corpus.ts";
import { makeCollateral, pck, pem, platformCa, qeIdentity, root, tcbInfo, tcbSigner } from "./testing/platform.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const counts = ({
  tcbInfo,
  qeIdentity,
  revocationLists,
  certificates,
  pckChain,
}: TdxCollateral): readonly unknown[] => [
  tcbInfo !== null,
  qeIdentity !== null,
  revocationLists.length,
  certificates.length,
  pckChain.length,
];
const refused = (files: readonly Uint8Array[], message: RegExp): void => {
  assert.throws(() => parseCollateral(files), { code: "EVIDENCE_COLLATERAL_INVALID", message });
};

test("genuine collateral is read in every form of the corpus", { skip }, () => {
  const forms: readonly (readonly [file: string, expected: readonly unknown[]])[] = [
    ["mpc__crates_test-utils_assets_collateral.json", [true, true, 2, 3, 3]],
    ["dcap-qvl__sample_tdx_quote_collateral.json", [true, true, 2, 3, 0]],
    ["go-tdx-guest__testing_testdata_sample_tcbinfo_response_v5", [true, false, 0, 0, 0]],
    ["trustee__deps_verifier_test_data_enclaveIdentity.json", [false, true, 0, 0, 0]],
    ["teepot__crates_intel-dcap-api_tests_test_data_tdx_tcb_info_00806F050000.json", [true, false, 0, 2, 0]],
    ["teepot__crates_intel-dcap-api_tests_test_data_tdx_qe_identity.json", [false, true, 0, 2, 0]],
    ["dcap-rs__data_pck_platform_crl.der", [false, false, 1, 0, 0]],
    ["oasis-core__runtime_testdata_tcb_info_v3_fmspc_00606A000000_certs_bad.pem", [false, false, 0, 2, 0]],
  ];
  for (const [file, expected] of forms) {
    const found = parseCollateral([corpusFile(`collateral/${file}`)]);
    assert.deepEqual(counts(found), expected, file);
    if (found.tcbInfo !== null) assert.equal(parseTcbInfo(found.tcbInfo.bytes).id, "TDX");
    if (found.qeIdentity !== null) assert.equal(parseQeIdentity(found.qeIdentity.bytes).id, "TD_QE");
  }
  for (const set of Object.values(COLLATERAL))
    assert.deepEqual(counts(parseCollateral(collateralFiles(set))).slice(0, 2), [true, true]);
});

const bundle = await makeCollateral();
const info = JSON.stringify(tcbInfo());
const answer = (name: string, body: string): string => `{ "${name}" : ${body} ,\n "signature":"${"ab".repeat(64)}" }`;

test("what Intel signed is kept in the bytes it came in", () => {
  const spaced = info.replaceAll(":", " : ").replace("TDX", "\\u0054DX");
  for (const form of [
    answer("tcbInfo", spaced),
    JSON.stringify({ tcb_info_json: answer("tcbInfo", spaced) }),
    JSON.stringify({ tcb_info: answer("tcbInfo", spaced) }),
    JSON.stringify({ tcb_info: spaced, tcb_info_signature: "AB".repeat(64) }),
  ]) {
    const { tcbInfo: found } = parseCollateral([utf8(form)]);
    assert.deepEqual([text(found?.bytes), found?.signature], [spaced, new Uint8Array(64).fill(0xab)]);
  }
});

test("revocation lists and certificates come as DER, PEM, hex and base64, alone and in a bundle", async () => {
  const list = await issueList(root);
  const listPem = `-----BEGIN X509 CRL-----\n${Buffer.from(list).toString("base64")}\n-----END X509 CRL-----\n`;
  for (const form of [
    list,
    utf8(toHex(list)),
    utf8(`0x${toHex(list)}`),
    utf8(JSON.stringify({ pck_crl: `0x${toHex(list)}` })),
    utf8(`${toHex(list).toUpperCase()}\n`),
    utf8(`${Buffer.from(list).toString("base64")}\n`),
    utf8(listPem),
    utf8(listPem.replaceAll("\n", "\r\n")),
    utf8(JSON.stringify({ root_ca_crl: listPem })),
    utf8(JSON.stringify({ pck_crl: toHex(list) })),
    utf8(JSON.stringify({ pck_crl: Buffer.from(list).toString("base64") })),
  ]) {
    const { revocationLists } = parseCollateral([form]);
    assert.deepEqual(
      revocationLists.map(({ raw }) => raw),
      [list],
    );
  }
  for (const form of [
    root.der,
    utf8(toHex(root.der)),
    utf8(`0x${toHex(root.der)}\n`),
    utf8(pem(root)),
    utf8(encodeURIComponent(pem(root))),
  ])
    assert.deepEqual(
      parseCollateral([form]).certificates.map(({ raw }) => raw),
      [root.der],
    );
  const chain = parseCollateral([
    utf8(JSON.stringify({ pck_certificate_chain: pem(pck, platformCa, root), issuer_chain: pem(tcbSigner, root) })),
  ]);
  assert.deepEqual(counts(chain), [false, false, 0, 2, 3]);
});

test("an issuer chain is read as a header has it, alone and in a bundle, and a + of base64 stays one", async () => {
  // In base64 this name has a + of its own, wherever it begins; without one nothing would show that it stays.
  const signer = await issue(
    { subject: "CN=>>>>>>>>>>>>", serial: "09", ca: false, uses: SIGNS_DATA, keys: await ecKeys("P-256") },
    root,
  );
  const plain = pem(signer, root);
  assert.match(plain, /\+/);
  const percent = encodeURIComponent(plain);
  const form = new URLSearchParams({ "": plain }).toString().slice(1);
  assert.match(form, /^-----BEGIN\+CERTIFICATE-----%0A[^+]+-----END\+CERTIFICATE-----%0A-----BEGIN\+/);
  const linesOnly = plain
    .replaceAll("BEGIN CERTIFICATE", "BEGIN+CERTIFICATE")
    .replaceAll("END CERTIFICATE", "END+CERTIFICATE");
  for (const chain of [
    percent,
    form,
    form.replaceAll("%2B", "+"),
    percent.replaceAll("%2B", "+"),
    linesOnly,
    `${form}\n`,
    percent.replace("END%20", "END+"),
  ]) {
    for (const file of [
      chain,
      JSON.stringify({ tcb_info_issuer_chain: chain }),
      JSON.stringify({ issuer_chain: `${chain}\0` }),
    ]) {
      assert.deepEqual(
        parseCollateral([utf8(file)]).certificates.map(({ raw }) => raw),
        [signer.der, root.der],
        file.slice(0, 80),
      );
    }
    assert.equal(parseCollateral([utf8(JSON.stringify({ pck_certificate_chain: chain }))]).pckChain.length, 2);
  }
  // A + for a line break is read as base64, which then has another length or begins with another byte.
  refused([utf8(form.replaceAll("%0A", "+"))], /PEM block|tag 248/);
  refused([utf8(form.replace("BEGIN+CERTIFICATE", "BEGIN++CERTIFICATE"))], /neither JSON, PEM/);
  refused([utf8(form.replaceAll("END+", "END%2B"))], /PEM block/);
  refused([utf8(JSON.stringify({ issuer_chain: "-----BEGIN+CERTIFICATE-----%zz" }))], /percent-encoded/);
});

test("texts of a bundle may end as C strings do, and what was signed is without that end", async () => {
  const plain = parseCollateral([bundle]);
  const members = JSON.parse(text(bundle)) as Record<string, string>;
  for (const end of ["\0", "\0\0"]) {
    const ended = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, value + end]));
    assert.deepEqual(parseCollateral([utf8(JSON.stringify(ended))]), plain);
    assert.deepEqual(
      counts(parseCollateral([utf8(JSON.stringify({ tcb_info_json: answer("tcbInfo", info) + end }))])),
      [true, false, 0, 0, 0],
    );
  }
  for (const name of ["pck_crl", "root_ca_crl", "tcb_info_signature"])
    refused(
      [await makeCollateral({ members: { [name]: `\0${members[name] ?? ""}` } })],
      /neither PEM, hex|not 64 bytes/,
    );
});

test("parts may come in files of their own, each document once", () => {
  const identity = utf8(answer("enclaveIdentity", JSON.stringify(qeIdentity())));
  assert.deepEqual(counts(parseCollateral([utf8(answer("tcbInfo", info)), identity, utf8(pem(tcbSigner, root))])), [
    true,
    true,
    0,
    2,
    0,
  ]);
  assert.deepEqual(counts(parseCollateral([])), [false, false, 0, 0, 0]);
  assert.deepEqual(
    counts(parseCollateral([utf8(`\ufeff${answer("tcbInfo", info)}`)])),
    [true, false, 0, 0, 0],
    "behind a byte order mark",
  );
  refused([utf8("-----BEGIN%20CERTIFICATE-----%zz")], /percent-encoded/);
  refused([bundle, identity], /enclaveIdentity is given twice/);
  refused([utf8(answer("tcbInfo", info)), utf8(answer("tcbInfo", info))], /tcbInfo is given twice/);
  refused(
    [
      utf8(
        JSON.stringify({ tcb_info: info, tcb_info_signature: "ab".repeat(64), tcb_info_json: answer("tcbInfo", info) }),
      ),
    ],
    /tcbInfo is given twice/,
  );
});

test("a certificate that is given many times counts once", () => {
  const chains = Array.from({ length: 16 }, () => utf8(pem(tcbSigner, platformCa, root)));
  assert.deepEqual(
    parseCollateral(chains).certificates.map(({ subjectText }) => subjectText),
    [tcbSigner.name, platformCa.name, root.name],
  );
});

test("duplicate keys are refused, in the bundle and in what it holds as text", () => {
  refused([utf8(`{"root_ca_crl":null,"root_ca_crl":null}`)], /duplicate key/);
  const twice = '{"tcbInfo":{"id":"SGX"},"tcbInfo":{"id":"TDX"},"signature":"00"}';
  refused([utf8(twice)], /duplicate key/);
  refused([utf8(JSON.stringify({ tcb_info_json: twice }))], /duplicate key/);
});

test("what is no collateral, or too much of it, is refused", async () => {
  const sample = async (members: Record<string, string | null>): Promise<Uint8Array> => makeCollateral({ members });
  refused([utf8("{}")], /holds no collateral/);
  refused([utf8('{"tcbInfo":{}}')], /tcbInfo without its signature/);
  refused([utf8('{"tcb_info":"{}"}')], /tcbInfo without its signature/);
  refused([utf8('{"tcb_info":7}')], /tcb_info is not text/);
  refused([utf8("hello")], /neither JSON, PEM, DER, hex nor base64/);
  refused([utf8("")], /neither JSON, PEM, DER, hex nor base64/);
  refused([utf8("abc")], /neither JSON, PEM, DER, hex nor base64/);
  refused([Uint8Array.of(0xff, 0xfe)], /neither JSON, PEM, DER, hex nor base64/);
  refused([Uint8Array.of(0x30, 0x03, 1, 2, 3)], /certificate/);
  refused([await sample({ tcb_info_signature: "ab" })], /signature is not 64 bytes/);
  refused([await sample({ qe_identity_signature: "zz".repeat(64) })], /signature is not 64 bytes/);
  refused([await sample({ pck_crl: "not hex" })], /neither PEM, hex nor base64/);
  refused([await sample({ pck_crl: "00" })], /revocation list/);
  refused([await sample({ pck_crl_issuer_chain: "" })], /without a certificate/);
  refused([utf8(pem(...Array.from({ length: 9 }, () => root)))], /9 PEM blocks/);
  refused(
    Array.from({ length: 17 }, () => root.der),
    /limit/,
  );
  refused([new Uint8Array(2 * 1024 * 1024)], /neither JSON/);
  refused([new Uint8Array(2 * 1024 * 1024 + 1)], /limit 2097152/);
});

test("no bytes make the reader throw anything but its own error", () => {
  const mutated = fc
    .array(fc.tuple(fc.nat(bundle.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
    .map((changes) => {
      const copy = Uint8Array.from(bundle);
      for (const [offset, value] of changes) copy[offset] = value;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 }), fc.json().map(utf8)), (bytes) => {
      try {
        assert.equal(parseCollateral([bytes]).certificates.length <= 8, true);
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, "EVIDENCE_COLLATERAL_INVALID");
      }
    }),
    { numRuns: 500 },
  );
});

test("a document of another kind, version or shape is refused once its bytes are read", () => {
  const documents: readonly (readonly [
    parse: (bytes: Uint8Array) => unknown,
    make: (other: object) => object,
    other: object,
    where: RegExp,
  ])[] = [
    [parseTcbInfo, tcbInfo, { id: "SGX" }, /^the [A-Za-z' ]+: id: /],
    [parseTcbInfo, tcbInfo, { version: 2 }, /^the [A-Za-z' ]+: version: /],
    [parseTcbInfo, tcbInfo, { tcbType: 1 }, /^the [A-Za-z' ]+: tcbType: /],
    [parseTcbInfo, tcbInfo, { fmspc: "AABBCC00000G" }, /^the [A-Za-z' ]+: fmspc: /],
    [parseTcbInfo, tcbInfo, { pceId: "000" }, /^the [A-Za-z' ]+: pceId: /],
    [parseTcbInfo, tcbInfo, { issueDate: "2025-12-15" }, /^the [A-Za-z' ]+: issueDate: /],
    [parseTcbInfo, tcbInfo, { issueDate: "2025-13-01T00:00:00Z" }, /^the [A-Za-z' ]+: issueDate: /],
    [parseTcbInfo, tcbInfo, { nextUpdate: "2025-02-31T00:00:00Z" }, /^the [A-Za-z' ]+: nextUpdate: /],
    [parseTcbInfo, tcbInfo, { tcbEvaluationDataNumber: 1.5 }, /^the [A-Za-z' ]+: tcbEvaluationDataNumber: /],
    [parseTcbInfo, tcbInfo, { tdxModule: undefined }, /^the [A-Za-z' ]+: tdxModule: /],
    [parseTcbInfo, tcbInfo, { tcbLevels: [] }, /^the [A-Za-z' ]+: tcbLevels: /],
    [
      parseTcbInfo,
      tcbInfo,
      {
        tcbLevels: [
          {
            tcb: { sgxtcbcomponents: [], pcesvn: 1, tdxtcbcomponents: [] },
            tcbDate: "2025-01-01T00:00:00Z",
            tcbStatus: "UpToDate",
          },
        ],
      },
      /^the [A-Za-z' ]+: tcbLevels\.0\.tcb\.sgxtcbcomponents: /,
    ],
    [parseQeIdentity, qeIdentity, { id: "QE" }, /^the [A-Za-z' ]+: id: /],
    [parseQeIdentity, qeIdentity, { version: 1 }, /^the [A-Za-z' ]+: version: /],
    [parseQeIdentity, qeIdentity, { mrsigner: "00" }, /^the [A-Za-z' ]+: mrsigner: /],
    [parseQeIdentity, qeIdentity, { attributesMask: "x".repeat(32) }, /^the [A-Za-z' ]+: attributesMask: /],
    [
      parseQeIdentity,
      qeIdentity,
      { tcbLevels: [{ tcb: { isvsvn: 1 }, tcbDate: "2025-01-01T00:00:00Z", tcbStatus: "Fine" }] },
      /^the [A-Za-z' ]+: tcbLevels\.0\.tcbStatus: /,
    ],
  ];
  for (const [parse, make, other, message] of documents)
    assert.throws(() => parse(utf8(JSON.stringify(make(other)))), { code: "EVIDENCE_COLLATERAL_INVALID", message });
  assert.throws(() => parseTcbInfo(utf8(info.replace('"id":"TDX"', '"id":"TDX","id":"TDX"'))), {
    code: "JSON_DUPLICATE_KEY",
  });
});
