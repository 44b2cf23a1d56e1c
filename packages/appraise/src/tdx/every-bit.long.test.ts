/** Every single bit of what is signed, and of who signed it: quotes of versions 4 and 5, and Intel's collateral. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { CheckRecorder } from "../checks/check.ts";
import { everyBit } from "../testing/every-bit.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { parseCollateral } from "./collateral.ts";
import type { TdxCollateral } from "./unverified-collateral.ts";
import { tdxPolicySchema } from "./policy.ts";
import { parseQeIdentity } from "./qe-identity.ts";
import { parseTdxQuote } from "./quote.ts";
import { verifyDocument, type DatedDocument } from "./signed-document.ts";
import { parseTcbInfo } from "./tcb-info.ts";
import { COLLATERAL, collateralFiles, genuineQuote, regions, type QuoteName } from "./testing/corpus.ts";
import { verifyTdx } from "./verify.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
const AT = new Date("2026-08-20T00:00:00Z");
const AUTHENTICITY = tdxPolicySchema.parse({ authenticity_only: true });
const QUOTES: readonly QuoteName[] = ["v4-b0c06f000000-f1c8503301", "v5-90c06f000000-cf77a6e91e"];

for (const name of QUOTES) {
  test(`no bit of ${name} before its certificates can be flipped`, { skip }, async () => {
    const quote = genuineQuote(name);
    const verify = async (changed: Uint8Array) =>
      (await verifyTdx({ quote: changed }, AUTHENTICITY, AT, webcrypto)).verified;
    assert.ok((await verify(quote)) !== null, "as it is, it is authentic");
    for (const [region, first, end] of regions(parseTdxQuote(quote)))
      await everyBit(quote, [first, end], async (changed, bit) =>
        assert.equal(await verify(changed), null, `${region}, bit ${bit}`),
      );
  });
}

type Region = readonly [number, number];

/** Where the signed text and the signature of Intel's answer lie. */
function signedText(file: Uint8Array, member: string): readonly [Region, Region] {
  const text = Buffer.from(file).toString("latin1");
  const body = text.indexOf(`"${member}":`) + member.length + 3;
  const signature = text.lastIndexOf('"signature":"') + '"signature":"'.length;
  return [
    [body, text.lastIndexOf(',"signature"')],
    [signature, signature + 128],
  ];
}

/** The documents by themselves: through a whole verification each bit would pay for the quote's signatures too. */
const DOCUMENTS = [
  { member: "tcbInfo", kind: { name: "TCB info", parse: parseTcbInfo }, of: (found: TdxCollateral) => found.tcbInfo },
  {
    member: "enclaveIdentity",
    kind: { name: "QE identity", parse: parseQeIdentity },
    of: (found: TdxCollateral) => found.qeIdentity,
  },
] as const;

for (const { member, kind, of } of DOCUMENTS) {
  test(`no bit of Intel's ${kind.name} can be flipped, text or signature`, { skip }, async () => {
    const set = COLLATERAL["2025-11 00a06d"];
    const [file, certificates] = partition(collateralFiles(set), member);
    const failed = async (changed: Uint8Array): Promise<readonly string[]> => {
      const recorder = new CheckRecorder();
      const collateral = recorder.attempt("collateral format", "EVIDENCE_COLLATERAL_INVALID", "", () =>
        parseCollateral([changed, ...certificates]),
      );
      if (collateral !== null)
        await verifyDocument<DatedDocument>(
          { crypto: webcrypto, recorder, collateral, policy: AUTHENTICITY, at: set.at },
          kind,
          of(collateral),
        );
      return recorder.checks.filter(({ status }) => status === "failed").map(({ name }) => name);
    };
    assert.deepEqual(await failed(file), [], "as it is, it holds");
    const [body, signature] = signedText(file, member);
    for (const region of [body, signature]) {
      await everyBit(file, region, async (changed, bit) => {
        // Hex may be written with letters of either size: the same signature.
        if (region === signature && sameButForCase(changed, file)) return;
        const names = await failed(changed);
        assert.ok(
          names.some((name) => name.endsWith("signature") || name === "collateral format"),
          `bit ${bit}: ${names.join()}`,
        );
      });
    }
  });
}

function sameButForCase(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.from(left).toString("latin1").toLowerCase() === Buffer.from(right).toString("latin1").toLowerCase();
}

/** The document's file, and the certificates beside it. */
function partition(files: readonly Uint8Array[], member: string): readonly [Uint8Array, readonly Uint8Array[]] {
  const file = files.find((one) => Buffer.from(one).includes(`"${member}":`));
  assert.ok(file !== undefined);
  return [file, files.filter((one) => one[0] === 0x30)];
}
