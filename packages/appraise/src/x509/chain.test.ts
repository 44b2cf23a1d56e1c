import assert from "node:assert/strict";
import { hash, webcrypto } from "node:crypto";
import { test } from "node:test";
import { CheckRecorder, type Check } from "../checks/check.ts";
import {
  CA_USES,
  ecKeys,
  extension,
  FROM,
  issue,
  issueList,
  NOW,
  SIGNS_CERTIFICATES,
  SIGNS_DATA,
  UNTIL,
  type CertificateOptions,
  type Issued,
  type ListOptions,
} from "../testing/authority.ts";
import { Certificate } from "./certificate.ts";
import { checkChain, type ChainInput, type TrustAnchor } from "./chain.ts";
import { RevocationList } from "./revocation-list.ts";

const parse = ({ der }: Issued): Certificate => Certificate.parse(der);

const CA: Partial<CertificateOptions> = { ca: true, uses: CA_USES };
const root = await issue({ subject: "CN=root", ...CA });
const middle = await issue({ subject: "CN=middle", serial: "02", ...CA, pathLength: 0 }, root);
const leaf = await issue({ subject: "CN=leaf", serial: "03" }, middle);

const byCertificate: TrustAnchor = { name: "the root", certificateSha256: hash("sha256", root.der) };
const byKey: TrustAnchor = { name: "the root", spkiSha256: hash("sha256", parse(root).spki) };

type Change = Partial<Omit<ChainInput, "leaf" | "intermediates">> & {
  readonly leaf?: Issued;
  readonly between?: readonly Issued[];
};

async function run({ leaf: end = leaf, between = [middle, root], ...change }: Change = {}): Promise<{
  readonly length: number | undefined;
  readonly failed: readonly (string | undefined)[];
  readonly checks: readonly Check[];
}> {
  const recorder = new CheckRecorder();
  const path = await checkChain(webcrypto, recorder, {
    name: "AK",
    leaf: parse(end),
    intermediates: between.map(parse),
    anchors: [byCertificate],
    at: NOW,
    ...change,
  });
  return {
    length: path?.length,
    failed: recorder.checks.filter(({ status }) => status === "failed").map(({ code }) => code),
    checks: recorder.checks,
  };
}

test("a sound path holds under a pinned certificate or a pinned key, in any order of the certificates", async () => {
  for (const anchors of [[byCertificate], [byKey]]) {
    for (const between of [
      [middle, root],
      [root, middle],
      [leaf, root, middle, middle],
    ]) {
      const { length, failed, checks } = await run({ anchors, between });
      assert.deepEqual([length, failed], [3, []]);
      assert.deepEqual(
        checks.map(({ name, status }) => `${name}: ${status}`),
        ["AK chain: passed", "AK validity: passed", "AK revocation: not-performed"],
      );
    }
  }
});

test("a leaf directly under the anchor is a path, the leaf itself as anchor is none", async () => {
  assert.equal((await run({ leaf: middle })).length, 2);
  assert.deepEqual((await run({ leaf: root })).failed, ["EVIDENCE_ROOT_NOT_TRUSTED"]);
});

test("a chain to any other root is refused, whatever it calls itself", async () => {
  const fake = await issue({ subject: "CN=root", ...CA });
  const fakeMiddle = await issue({ subject: "CN=middle", ...CA }, fake);
  const forged = await issue({ subject: "CN=leaf" }, fakeMiddle);
  const codes = async (between: readonly Issued[]): Promise<unknown> => (await run({ leaf: forged, between })).failed;
  assert.deepEqual(await codes([fakeMiddle, fake]), ["EVIDENCE_ROOT_NOT_TRUSTED"]);
  assert.deepEqual(await codes([fakeMiddle, fake, middle, root]), ["EVIDENCE_ROOT_NOT_TRUSTED"]);
  assert.deepEqual(await codes([fakeMiddle, root]), ["EVIDENCE_CHAIN_INVALID"]);
  assert.deepEqual(await codes([middle, root]), ["EVIDENCE_CHAIN_INVALID"]);
  assert.deepEqual((await run({ anchors: [] })).failed, ["EVIDENCE_ROOT_NOT_TRUSTED"]);
});

test("a certificate that only has the pinned key, but another's signature, is no anchor", async () => {
  const stranger = await issue({ subject: "CN=stranger", ...CA });
  const borrowed = await issue({ subject: "CN=root", ...CA, keys: root.keys }, stranger);
  assert.deepEqual((await run({ anchors: [byKey], between: [middle, borrowed, stranger] })).failed, [
    "EVIDENCE_ROOT_NOT_TRUSTED",
  ]);
  assert.deepEqual((await run({ anchors: [byKey], between: [middle, borrowed] })).failed, ["EVIDENCE_CHAIN_INVALID"]);
  assert.deepEqual((await run({ between: [middle, borrowed, stranger, root] })).failed, []);
});

test("each thing an issuer must be is required of it", async () => {
  const unfit = async (options: Partial<CertificateOptions>, message: RegExp): Promise<void> => {
    const authority = await issue({ subject: "CN=unfit", ...options }, root);
    const { failed, checks } = await run({
      leaf: await issue({ subject: "CN=leaf" }, authority),
      between: [authority, root],
    });
    assert.deepEqual(failed, ["EVIDENCE_CHAIN_INVALID"]);
    assert.match(checks[0]?.why ?? "", message);
  };
  await unfit({}, /not a certificate authority/);
  await unfit({ ca: false, uses: CA_USES }, /not a certificate authority/);
  await unfit({ ca: true, uses: SIGNS_DATA }, /not for signing certificates/);
  await unfit({ ...CA, extensions: [extension("1.2.3", true, Uint8Array.of(5, 0))] }, /critical extension 1\.2\.3/);
});

test("a path length is kept to", async () => {
  const low = await issue({ subject: "CN=low", ...CA }, middle);
  const { failed, checks } = await run({
    leaf: await issue({ subject: "CN=leaf" }, low),
    between: [low, middle, root],
  });
  assert.deepEqual(failed, ["EVIDENCE_CHAIN_INVALID"]);
  assert.match(checks[0]?.why ?? "", /allows 0 authorities/);
});

test("a path has at most six certificates, and sixteen are looked at for each issuer", async () => {
  const under = async (authorities: number) => {
    let last = root;
    const between = [root];
    for (let index = 0; index < authorities; index += 1)
      between.push((last = await issue({ subject: `CN=ca ${index}`, ...CA }, last)));
    return await run({ leaf: await issue({ subject: "CN=leaf" }, last), between });
  };
  assert.equal((await under(4)).length, 6);
  const { failed, checks } = await under(5);
  assert.deepEqual(failed, ["EVIDENCE_CHAIN_INVALID"]);
  assert.match(checks[0]?.why ?? "", /more than 6 certificates/);
  const crowd = await Promise.all(Array.from({ length: 17 }, () => issue({ subject: "CN=middle", ...CA }, root)));
  assert.equal((await run({ between: [...crowd.slice(0, 15), middle, root] })).length, 3);
  assert.match((await run({ between: [...crowd, root] })).checks[0]?.why ?? "", /more than 16/);
});

test("a leaf with a critical extension nobody here knows is refused", async () => {
  const odd = await issue({ subject: "CN=leaf", extensions: [extension("1.2.3", true, Uint8Array.of(5, 0))] }, middle);
  assert.deepEqual((await run({ leaf: odd })).failed, ["EVIDENCE_CHAIN_INVALID"]);
});

test("every certificate must be valid at the time, to the second", async () => {
  for (const at of [FROM, UNTIL]) assert.deepEqual((await run({ at })).failed, []);
  for (const at of [new Date(FROM.getTime() - 1), new Date(UNTIL.getTime() + 1)]) {
    const { failed, length } = await run({ at });
    assert.deepEqual([failed, length], [["EVIDENCE_EXPIRED"], 3]);
  }
});

test("of two certificates with one name and key the one valid at the time is taken", async () => {
  const old = await issue(
    { subject: "CN=middle", serial: "09", ...CA, keys: middle.keys, until: new Date("2025-06-01T00:00:00Z") },
    root,
  );
  for (const between of [
    [old, middle, root],
    [middle, old, root],
  ])
    assert.deepEqual((await run({ between })).failed, []);
});

async function revocation(
  rootList: ListOptions | null,
  middleList: ListOptions | null,
  staleLists: "fail" | "accept" = "fail",
  signer = middle,
): Promise<Check | undefined> {
  const lists: RevocationList[] = [];
  if (rootList !== null) lists.push(RevocationList.parse(await issueList(root, rootList)));
  if (middleList !== null) lists.push(RevocationList.parse(await issueList(signer, middleList)));
  return (await run({ lists, staleLists })).checks.at(-1);
}

test("a certificate on its issuer's list is revoked, one on another's is not", async () => {
  assert.equal((await revocation({}, {}))?.status, "passed");
  assert.equal((await revocation({ serials: ["02"] }, {}))?.code, "EVIDENCE_REVOKED");
  assert.equal((await revocation({}, { serials: ["07", "03"] }))?.code, "EVIDENCE_REVOKED");
  assert.equal((await revocation({ serials: ["03", "01"] }, { serials: ["02"] }))?.status, "passed");
});

test("the root's list can be that of the whole path, which names no certificate by a serial number of zero", async () => {
  const unnumbered = await issue({ subject: "CN=leaf", serial: "00" }, middle);
  const numbered = await issue({ subject: "CN=leaf", serial: "0100" }, middle);
  const status = async (end: Issued, by: "root" | "issuer", serials: readonly string[]): Promise<unknown> => {
    const lists = [];
    for (const signer of [root, middle])
      lists.push(
        RevocationList.parse(await issueList(signer, (by === "root") === (signer === root) ? { serials } : {})),
      );
    const last = (await run({ leaf: end, lists, listedBy: by })).checks.at(-1);
    return last?.code ?? last?.why;
  };
  assert.equal(await status(unnumbered, "root", ["00"]), "1 certificates, none on its list");
  assert.equal(await status(unnumbered, "issuer", ["00"]), "EVIDENCE_REVOKED");
  for (const by of ["root", "issuer"] as const) {
    assert.equal(await status(numbered, by, ["0100"]), "EVIDENCE_REVOKED");
    assert.equal(await status(numbered, by, ["0101"]), "2 certificates, none on its list");
  }
});

test("a list that is absent, stale or early never passes in silence", async () => {
  assert.match((await revocation(null, {}))?.why ?? "", /absent: no revocation list of CN=root/);
  assert.match((await revocation({}, null))?.why ?? "", /absent: no revocation list of CN=middle/);
  const old: ListOptions = { until: new Date("2025-12-31T00:00:00Z") };
  assert.equal((await revocation(old, {}))?.code, "EVIDENCE_EXPIRED");
  assert.equal((await revocation({ from: new Date("2026-01-02T00:00:00Z") }, {}))?.code, "EVIDENCE_EXPIRED");
  const accepted = await revocation(old, {}, "accept");
  assert.deepEqual([accepted?.status, accepted?.why.startsWith("stale")], ["not-performed", true]);
  assert.equal((await revocation({ ...old, serials: ["02"] }, {}, "accept"))?.code, "EVIDENCE_REVOKED");
});

test("a list signed by another, or by a key not meant for lists, is refused", async () => {
  const stranger = await issue({ subject: "CN=middle", ...CA, keys: await ecKeys() });
  assert.equal((await revocation({}, {}, "fail", stranger))?.code, "EVIDENCE_COLLATERAL_INVALID");
  const signsOnly = await issue({ subject: "CN=middle", ca: true, uses: SIGNS_CERTIFICATES, keys: middle.keys }, root);
  const under = await issue({ subject: "CN=leaf" }, signsOnly);
  const { checks } = await run({
    leaf: under,
    between: [signsOnly, root],
    lists: [RevocationList.parse(await issueList(root)), RevocationList.parse(await issueList(signsOnly))],
  });
  assert.equal(checks.at(-1)?.code, "EVIDENCE_COLLATERAL_INVALID");
});

test("lists of a part, indirect lists and delta lists are refused", async () => {
  const whole = extension("2.5.29.28", true, Uint8Array.from(Buffer.from("3006a004a0028200", "hex")));
  assert.equal(RevocationList.parse(await issueList(root, { extensions: [whole] })).size, 0);
  const refused = [
    extension("2.5.29.28", true, Uint8Array.from(Buffer.from("30038401ff", "hex"))),
    extension("2.5.29.27", true, Uint8Array.of(2, 1, 1)),
  ];
  for (const part of refused) {
    const list = await issueList(root, { extensions: [part] });
    assert.throws(() => RevocationList.parse(list), { code: "EVIDENCE_MALFORMED", message: /critical extension/ });
  }
});

test("a list is read from PEM, hex, with 0x before it too, and base64 as from DER, one only and bounded", async () => {
  const der = await issueList(root, { serials: ["7f", "00ff"] });
  const pem = `-----BEGIN X509 CRL-----\n${Buffer.from(der).toString("base64")}\n-----END X509 CRL-----\n`;
  const lines = (text: string): Buffer => Buffer.from(`${text.replaceAll(/(.{64})/g, "$1\n")}\n`);
  for (const bytes of [
    der,
    Buffer.from(pem),
    lines(Buffer.from(der).toString("hex")),
    lines(`0x${Buffer.from(der).toString("hex")}`),
    lines(Buffer.from(der).toString("base64")),
  ]) {
    const list = RevocationList.parse(bytes);
    assert.deepEqual([list.size, list.revokes("7f"), list.revokes("00ff"), list.revokes("ff")], [2, true, true, false]);
  }
  for (const bytes of [
    Buffer.from(pem.repeat(2)),
    Buffer.from("text"),
    Buffer.from("MIIB*"),
    Buffer.from("30820"),
    Buffer.from("0x"),
    Buffer.from("0x30820"),
    Buffer.from(`0x0x${Buffer.from(der).toString("hex")}`),
  ])
    assert.throws(() => RevocationList.parse(bytes), { code: "EVIDENCE_MALFORMED" });
  assert.throws(() => RevocationList.parse(new Uint8Array(1024 * 1024 + 1)), {
    code: "EVIDENCE_MALFORMED",
    message: /above 1048576 bytes/,
  });
});
