/** Genuine collateral, and what it says of genuine platforms. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { parseCollateral } from "./collateral.ts";
import { describeTdxCollateral } from "./describe.ts";
import { STRICT_TDX_POLICY, tdxPolicySchema } from "./policy.ts";
import {
  COLLATERAL,
  collateralFiles,
  genuineQuote,
  type CollateralSet,
  type QuoteName,
  REJECTED,
  UNEXPECTED,
} from "./testing/corpus.ts";
import { verifyTdx, type TdxInput } from "./verify.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
/** Every PCK certificate of the corpus is valid then. */
const AT = new Date("2026-08-20T00:00:00Z");

const verify = (input: TdxInput, policy = STRICT_TDX_POLICY, at = AT) => verifyTdx(input, policy, at, webcrypto);
const failures = ({ checks }: Awaited<ReturnType<typeof verify>>): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(checks.filter(({ status }) => status === "failed").map(({ name, code }) => [name, code]));

const STATUSES: readonly (readonly [set: CollateralSet, quote: QuoteName, status: string])[] = [
  [COLLATERAL["2023-06 50806f"], "v4-50806f000000-12b401a88a-DEBUG", "UpToDate"],
  [COLLATERAL["2023-06 50806f"], "v4-50806f000000-3507b5f7e6", "below"],
  [COLLATERAL["2024-09 c0806f"], "v4-c0806f000000-46ca3f903c", "UpToDate"],
  [COLLATERAL["2025-02 00806f"], "v4-00806f050000-00b2526ab1", "UpToDate"],
  [COLLATERAL["2025-02 00806f"], "v4-00806f050000-a187b0da05", "OutOfDate"],
  [COLLATERAL["2025-06 00806f"], "v4-00806f050000-c39a3a2526", "UpToDate"],
  [COLLATERAL["2025-06 b0c06f"], "v4-b0c06f000000-f1c8503301", "UpToDate"],
  [COLLATERAL["2025-06 b0c06f"], "v4-b0c06f000000-32f070134b", "below"],
  [COLLATERAL["2025-11 00a06d"], "v4-00a06d080000-b789d77938", "OutOfDate"],
  [COLLATERAL["2026-02 90c06f"], "v4-90c06f000000-cbdb5b2f12", "UpToDate"],
  [COLLATERAL["2026-02 90c06f"], "v5-90c06f000000-cf77a6e91e", "UpToDate"],
  [COLLATERAL["2026-02 90c06f"], "v5-90c06f000000-4c453ea417", "below"],
  [COLLATERAL["2026-08 b0c06f"], "v4-b0c06f000000-0c699dd453", "UpToDate"],
  [COLLATERAL["2026-08 b0c06f"], "v4-b0c06f000000-f1c8503301", "OutOfDate"],
];

test("genuine collateral verifies, and gives each platform its status", { skip }, async () => {
  const policy = tdxPolicySchema.parse({ tcb: { minimum_evaluation_number: 15 } });
  for (const [set, name, status] of STATUSES) {
    const result = await verify({ quote: genuineQuote(name), collateral: collateralFiles(set) }, policy, set.at);
    assert.equal(result.verified?.tcb?.status ?? "below", status, name);
    assert.deepEqual(
      failures(result),
      {
        ...(status === "UpToDate" ? {} : { "TCB status": "EVIDENCE_TCB_NOT_ACCEPTED" }),
        ...REJECTED[name],
        ...UNEXPECTED[name],
      },
      name,
    );
  }
});

test("collateral has one time and one platform", { skip }, async () => {
  const quote = genuineQuote("v4-b0c06f000000-f1c8503301");
  const late = failures(
    await verify(
      { quote, collateral: collateralFiles(COLLATERAL["2025-06 b0c06f"]) },
      STRICT_TDX_POLICY,
      COLLATERAL["2026-08 b0c06f"].at,
    ),
  );
  assert.deepEqual(late, {
    "PCK revocation": "EVIDENCE_EXPIRED",
    "TCB info signer revocation": "EVIDENCE_EXPIRED",
    "QE identity signer revocation": "EVIDENCE_EXPIRED",
    "TCB info freshness": "EVIDENCE_EXPIRED",
    "QE identity freshness": "EVIDENCE_EXPIRED",
  });
  const foreign = failures(
    await verify(
      { quote, collateral: collateralFiles(COLLATERAL["2026-02 90c06f"]) },
      STRICT_TDX_POLICY,
      COLLATERAL["2026-02 90c06f"].at,
    ),
  );
  assert.deepEqual(foreign, { "TCB info platform": "EVIDENCE_COLLATERAL_INVALID" });
});

test("collateral is shown with what it is about and when it holds", { skip }, () => {
  const rows = describeTdxCollateral(parseCollateral(collateralFiles(COLLATERAL["2026-08 b0c06f"])));
  assert.deepEqual(
    rows.map(({ label }) => label),
    [
      "TCB info",
      ...Array.from({ length: 4 }, () => "TCB level"),
      "QE identity",
      "revocation list",
      "revocation list",
      ...Array.from({ length: 6 }, () => "certificate"),
    ],
  );
  assert.equal(
    rows[0]?.value,
    "FMSPC b0c06f000000, evaluation 20; 2026-08-13T10:45:38.000Z to 2026-09-12T10:45:38.000Z",
  );
});
