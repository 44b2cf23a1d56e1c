import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Comparison } from "./comparison.ts";
import { changeOneByte } from "./change-one-byte.ts";
import { installed } from "./python.ts";
import type { SessionRecord } from "./records.ts";

/** The parts of the suite's JSON report that are read. */
interface Report {
  readonly record: { readonly format: string };
  readonly levels: readonly { readonly level: number; readonly passed: boolean; readonly failures: number }[];
  readonly findings: readonly { readonly code: string; readonly status: string }[];
}

/** The verdict of `trace-tests verify`, which has an exit code, and of `report`, which exits 0 and must be read. */
async function run(folder: string, text: string): Promise<Map<string, string>> {
  const record = join(folder, "presented-record.json");
  const json = join(folder, "report.json");
  await writeFile(record, text);
  const verified = await installed("trace-tests", ["verify", "--level", "0", "--record", record]);
  const reported = await installed("trace-tests", ["report", "--max-level", "0", "--record", record, "--json", json]);
  if (reported.code !== 0) throw new Error(`trace-tests report ended with ${reported.code}: ${reported.stderr}`);
  const report = JSON.parse(await readFile(json, "utf8")) as Report;
  const [level] = report.levels;
  return new Map([
    ["verify exit code", String(verified.code)],
    ["level 0 passed", String(level?.passed)],
    ["level 0 failures", String(level?.failures)],
    ...report.findings.map(({ code, status }): [string, string] => [code, status]),
  ]);
}

function failed(found: ReadonlyMap<string, string>): string {
  return (
    [...found]
      .filter(([, status]) => status === "fail")
      .map(([code]) => code)
      .join(" ") || "nothing"
  );
}

/**
 * Our Trust Record passes level 0 and fails with one changed byte; both sides' claims fall short of it alike. Returns
 * the number of differences.
 */
export async function compareTraceSuite(
  theirs: SessionRecord,
  ours: SessionRecord & { readonly traceRecord: string },
): Promise<number> {
  const passes = new Comparison();
  const intact = await run(ours.folder, ours.traceRecord);
  passes.add("verify exit code", "0", intact.get("verify exit code") ?? "");
  passes.add("level 0 passed", "true", intact.get("level 0 passed") ?? "");
  passes.add("level 0 failures", "0", intact.get("level 0 failures") ?? "");
  passes.add("fails on", "nothing", failed(intact));
  let differences = passes.print("TRACE conformance suite, level 0, on our Trust Record (theirs: what passing is)");

  const changed = new Comparison();
  for (const [what, pattern] of [
    ["call count", /"call_count":(\d)/],
    ["bundle hash", /"bundle_hash":"sha256:(.)/],
    ["signature", /"signature":"(.)/],
  ] as const) {
    const found = await run(ours.folder, changeOneByte(ours.traceRecord, pattern));
    changed.add(`${what}: verify exit code`, "1", found.get("verify exit code") ?? "");
    changed.add(`${what}: level 0 passed`, "false", found.get("level 0 passed") ?? "");
    changed.add(`${what}: fails on`, "TR-SIG-005", failed(found));
  }
  differences += changed.print("The same with one byte changed (theirs: what must fail)");

  // A claim carries no appraisal, and nothing may be added to it: the suite says so of either side's.
  const claims = new Comparison();
  const [theirClaim, ourClaim] = [await run(theirs.folder, theirs.claim), await run(ours.folder, ours.claim)];
  claims.addAll("claim", theirClaim, ourClaim);
  claims.add("claim: fails on", "TR-APR-001", failed(ourClaim));
  return differences + claims.print("The same suite on the claim, which is not a Trust Record");
}
