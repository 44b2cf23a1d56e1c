import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBase64Url, toHex } from "@cmcp/boundary";
import { Comparison } from "./comparison.ts";
import { changeOneByte } from "./change-one-byte.ts";
import { installed } from "./python.ts";
import type { SessionRecord } from "./records.ts";

const WRONG_HASH = `sha256:${"0".repeat(64)}`;

/** Pins of a run, derived from the record they belong to. */
interface Pins {
  readonly policyHash: string;
  readonly catalogHash: string;
  readonly key: string;
  readonly maxAge: string;
}

/** A way to present a record, and the checks that must fail for it, besides that there is no hardware. */
interface Case {
  readonly name: string;
  readonly fails: readonly string[];
  readonly pins?: Partial<Pins>;
  readonly claim?: RegExp;
  readonly bundle?: RegExp;
}

const CASES: readonly Case[] = [
  { name: "another policy pinned", fails: ["policy_bundle.hash"], pins: { policyHash: WRONG_HASH } },
  { name: "another catalog pinned", fails: ["tool_catalog.hash"], pins: { catalogHash: WRONG_HASH } },
  { name: "another key pinned", fails: ["trusted_public_key"], pins: { key: "0".repeat(64) } },
  { name: "too old", fails: ["attestation_freshness"], pins: { maxAge: "-1" } },
  { name: "a byte of the claim changed", fails: ["audit_bundle", "signature"], claim: /"tool_calls_denied":(\d)/ },
  { name: "a byte of the claim's signature changed", fails: ["signature"], claim: /"signature":"(.)/ },
  { name: "a byte of an entry changed", fails: ["audit_bundle"], bundle: /"sequence_number":(2)/ },
  { name: "a byte of the bundle's signature changed", fails: ["audit_bundle"], bundle: /"bundle_signature":"(.)/ },
];

/** The checks that an intact record passes. */
export const INTACT = [
  "schema",
  "signature",
  "trusted_public_key",
  "policy_bundle.hash",
  "tool_catalog.hash",
  "attestation_freshness",
  "audit_chain",
  "audit_bundle",
];

/** What one run of the public verifier printed. */
interface Run {
  /** PASS or FAIL by the check's name. */
  readonly checks: ReadonlyMap<string, string>;
  readonly result: string;
  readonly exit: string;
}

/** Runs the public verifier over a record with everything pinned, presented as it is or in another way. */
export async function runPublicVerifier(
  record: SessionRecord,
  variant: Pick<Case, "pins" | "claim" | "bundle"> = {},
): Promise<Run> {
  const claim = join(record.folder, "presented-claim.json");
  const bundle = join(record.folder, "presented-bundle.json");
  await writeFile(claim, variant.claim === undefined ? record.claim : changeOneByte(record.claim, variant.claim));
  await writeFile(bundle, variant.bundle === undefined ? record.bundle : changeOneByte(record.bundle, variant.bundle));
  const { jwk } = (JSON.parse(record.claim) as { trace: { cnf: { jwk: { x: string } } } }).trace.cnf;
  const own: Pins = {
    policyHash: record.policyHash,
    catalogHash: record.catalogHash,
    key: toHex(fromBase64Url(jwk.x) ?? new Uint8Array()),
    maxAge: "3600",
  };
  const pins = { ...own, ...variant.pins };
  const args = [
    "verify",
    claim,
    "--audit-bundle",
    bundle,
    "--policy-hash",
    pins.policyHash,
    "--catalog-hash",
    pins.catalogHash,
    "--trusted-key",
    pins.key,
    `--max-age=${pins.maxAge}`,
  ];
  const { code, stdout } = await installed("cmcp", args);
  const checks = [...stdout.matchAll(/^\[cmcp verify\] ([^\s:]+) +(PASS|FAIL)\b/gm)].map(
    ([, name = "", mark = ""]): [string, string] => [name, mark],
  );
  return {
    checks: new Map(checks),
    result: /^\[cmcp verify\] RESULT: (.*)$/m.exec(stdout)?.[1] ?? "none",
    exit: `exit ${code}`,
  };
}

/** Names of the checks that passed, sorted. */
export function passedChecks({ checks }: Run): string {
  return [...checks]
    .filter(([, mark]) => mark === "PASS")
    .map(([name]) => name)
    .toSorted()
    .join(" ");
}

function failed({ checks }: Run): string {
  return [...checks]
    .filter(([, mark]) => mark === "FAIL")
    .map(([name]) => name)
    .toSorted()
    .join(" ");
}

function ended({ checks, result, exit }: Run): string {
  return `${exit}, ${result}, ${[...checks.values()].filter((mark) => mark === "PASS").length} pass`;
}

/** The public verifier treats our record in every case as it treats one the Python runtime made. Returns the number of differences. */
export async function comparePublicVerifier(theirs: SessionRecord, ours: SessionRecord): Promise<number> {
  const intact = new Comparison();
  const [theirRun, ourRun] = [await runPublicVerifier(theirs), await runPublicVerifier(ours)];
  intact.addAll("", theirRun.checks, ourRun.checks);
  intact.add("RESULT", theirRun.result, ourRun.result);
  intact.add("exit code", theirRun.exit, ourRun.exit);
  let differences = intact.print("Public verifier on an intact record, everything pinned");
  differences += expectAll("what it can get without hardware", [
    ["passes", INTACT.toSorted().join(" "), passedChecks(ourRun)],
    ["fails", "hardware_attestation", failed(ourRun)],
  ]);

  const alike = new Comparison();
  const wanted: [string, string, string][] = [];
  for (const variant of CASES) {
    const [theirRun, ourRun] = [await runPublicVerifier(theirs, variant), await runPublicVerifier(ours, variant)];
    alike.add(variant.name, ended(theirRun), ended(ourRun));
    for (const [name, mark] of theirRun.checks)
      if (ourRun.checks.get(name) !== mark)
        alike.add(`${variant.name}: ${name}`, mark, ourRun.checks.get(name) ?? "absent");
    for (const name of ourRun.checks.keys())
      if (!theirRun.checks.has(name)) alike.add(`${variant.name}: ${name}`, "absent", "present");
    wanted.push([variant.name, ["hardware_attestation", ...variant.fails].toSorted().join(" "), failed(ourRun)]);
  }
  differences += alike.print(
    "Public verifier on a record presented wrongly (checks that differ would follow their row)",
  );
  return differences + expectAll("the checks that fail then", wanted);
}

function expectAll(heading: string, rows: readonly (readonly [string, string, string])[]): number {
  const comparison = new Comparison();
  for (const row of rows) comparison.add(...row);
  return comparison.print(`Public verifier: ${heading} (theirs: as it must be)`);
}
