import type { Plan } from "../plan.ts";
import type { Child } from "../processes/child.ts";
import type { Setup, SetupWish } from "./setup.ts";

/** What a section measures with. Everything that was started for it ends with it. */
export interface Bench {
  readonly plan: Plan;
  /** The load generator. */
  readonly generator: Child;
  /** A folder of its own. */
  readonly folder: string;
  /** Starts tool servers and writes a deployment for them. */
  readonly setUp: (wish?: SetupWish) => Promise<Setup>;
}
