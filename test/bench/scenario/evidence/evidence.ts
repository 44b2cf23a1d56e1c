import { attempt, type Row } from "../../report/row.ts";
import type { Bench } from "../bench.ts";
import { browserBundle } from "./browser-bundle.ts";
import { collecting } from "./collecting.ts";
import { measuring } from "./measuring.ts";
import { verifications } from "./verification.ts";

/** Collecting, verifying and predicting evidence. What cannot be measured here has a row that says so. */
export async function evidence({ plan }: Bench): Promise<readonly Row[]> {
  return [
    ...(await attempt("verifying evidence", () => verifications(plan))),
    ...(await attempt("verifier for the browser", browserBundle)),
    ...(await attempt("collecting TPM evidence", () => collecting(plan))),
    ...(await attempt("calculating measurements", () => measuring(plan))),
  ];
}
