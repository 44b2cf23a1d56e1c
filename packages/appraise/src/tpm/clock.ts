import type { CheckRecorder } from "../checks/check.ts";
import type { ClockInfo } from "./quote.ts";

/** An earlier reading of the same TPM's clock. */
export type EarlierClock = Pick<ClockInfo, "clock" | "resetCount" | "restartCount">;

/**
 * Checks the clock fields of a quote (part 1, section 36): that the clock never showed a later value, and that
 * nothing runs backwards from an earlier reading of the same TPM.
 */
export function checkClock(
  recorder: CheckRecorder,
  now: ClockInfo,
  safeRequired: boolean,
  earlier: EarlierClock | undefined,
): void {
  const said = `clock ${now.clock} ms, ${now.resetCount} resets, ${now.restartCount} restarts`;
  if (safeRequired)
    recorder.require("clock safe", now.safe, "EVIDENCE_POLICY_VIOLATION", {
      passed: said,
      failed: `${said}; after a power loss the TPM may have shown a later time before`,
    });
  else recorder.notPerformed("clock safe", `${said}; the policy does not ask`);
  if (earlier === undefined)
    return recorder.notPerformed(
      "clock order",
      "no earlier reading was given: an older quote of the same key would not be noticed",
    );
  const back = `${said}, before that ${earlier.clock} ms, ${earlier.resetCount} resets, ${earlier.restartCount} restarts`;
  recorder.require("clock order", isLater(now, earlier), "EVIDENCE_POLICY_VIOLATION", {
    passed: said,
    failed: `the clock went back: ${back}`,
  });
}

/** The clock runs on across resets; restarts count from the last reset. */
function isLater(now: ClockInfo, earlier: EarlierClock): boolean {
  if (now.clock < earlier.clock || now.resetCount < earlier.resetCount) return false;
  return now.resetCount > earlier.resetCount || now.restartCount >= earlier.restartCount;
}
