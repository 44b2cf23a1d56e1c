import { asCmcpError } from "@cmcp/boundary";
import type { CheckRecorder } from "../appraisal/check.ts";
import type { VerifierCrypto } from "../appraisal/crypto.ts";
import { bootEvents, parseEventLog, replay } from "../event-log/index.ts";
import { bytesEqual } from "../layout/reader.ts";
import type { AuthenticTdxQuote } from "./authenticate.ts";

/** RTMRs a firmware's log accounts for; RTMR3 belongs to the application, which may keep a log of its own. */
const FIRMWARE_RTMRS = 3;

/**
 * Replays a CCEL event log (UEFI section 38.4.1: register 1 is RTMR0) against the signed RTMRs, and looks for exactly
 * one separator between firmware and operating system. RTMR3 is compared when the log says anything of it.
 */
export async function checkEventLog(crypto: VerifierCrypto, recorder: CheckRecorder, { rtmrs }: AuthenticTdxQuote, bytes: Uint8Array | undefined): Promise<void> {
  if (bytes === undefined) return recorder.notPerformed("event log", "no event log was given: what the RTMRs are made of is not shown");
  const log = recorder.attempt("event log format", "EVIDENCE_MALFORMED", "a TCG event log", () => parseEventLog(bytes));
  if (log === null) return;
  try {
    const replayed = await replay(crypto, log, "sha384", "cc");
    const different = rtmrs.flatMap((value, index) => {
      const register = replayed.get(index + 1);
      const counts = index < FIRMWARE_RTMRS || (register?.extended ?? 0) > 0;
      return !counts || (register !== undefined && bytesEqual(register.value, value)) ? [] : [`RTMR${index}`];
    });
    if (!recorder.require("event log", different.length === 0, "EVIDENCE_EVENT_LOG_MISMATCH", `${log.events.length} events lead to the signed RTMRs`, `the events do not lead to the signed ${different.join(", ")}`)) return;
    const { separators } = await bootEvents(crypto, log, "sha384", "cc");
    const wrong = separators.filter(({ state }) => state !== "once").map(({ register, state }) => `RTMR${register - 1} ${state}`);
    recorder.require("event log separators", wrong.length === 0, "EVIDENCE_EVENT_LOG_MISMATCH", "one separator in each register of the firmware", `separator: ${wrong.join(", ")}`);
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "EVIDENCE_EVENT_LOG_MISMATCH", "the event log cannot be replayed");
    recorder.fail("event log", code, message);
  }
}
