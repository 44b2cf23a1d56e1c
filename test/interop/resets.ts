import { Comparison } from "./comparison.ts";
import { INTACT, passedChecks, runPublicVerifier } from "./public-verifier.ts";
import { resetRecord } from "./records.ts";

/** The public verifier follows a session through two resets to its last successor. Returns the number of differences. */
export async function compareResets(folder: string): Promise<number> {
  const record = await resetRecord(folder);
  const comparison = new Comparison();
  const bundlePasses = async (variant: Parameters<typeof runPublicVerifier>[1]): Promise<string> =>
    String(
      passedChecks(await runPublicVerifier(record, variant))
        .split(" ")
        .includes("audit_bundle"),
    );
  comparison.add("claim passes", INTACT.toSorted().join(" "), passedChecks(await runPublicVerifier(record)));
  comparison.add("the claim of another session", "false", await bundlePasses({ claim: /"session_id":"([0-9a-f])/ }));
  comparison.add("another successor", "false", await bundlePasses({ bundle: /"successor_session_id":"([0-9a-f])/ }));
  return comparison.print("Public verifier on a session that an operator reset twice (theirs: as it must be)");
}
