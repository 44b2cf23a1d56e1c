import { asCmcpError, bytesEqual } from "@cmcp/boundary";
import type { CheckRecorder } from "../checks/check.ts";
import type { Checking } from "../checks/checking.ts";
import { bootEvents, parseEventLog, replay, type BootEvents } from "../event-log/index.ts";
import type { AuthenticTdxQuote } from "./authenticate.ts";
import type { TdxPolicy } from "./policy.ts";

/** RTMRs a firmware's log accounts for; RTMR3 belongs to the application, which may keep a log of its own. */
const FIRMWARE_RTMRS = 3;

/**
 * Replays a CCEL event log (UEFI section 38.4.1: register 1 is RTMR0) against the signed RTMRs, and looks for exactly
 * one separator between firmware and operating system. RTMR3 is compared when the log says anything of it.
 *
 * OVMF before edk2-stable202411 measures the separator of PCR 2 to 6 into RTMR0, which then has two, and none into RTMR1
 * (edk2 commit efaf8931bb). Its logs replay and are genuine; a policy for such firmware asks for no separators.
 */
export async function checkEventLog(
  { crypto, recorder }: Checking,
  { rtmrs }: AuthenticTdxQuote,
  bytes: Uint8Array | undefined,
  policy: TdxPolicy["event_log"],
): Promise<void> {
  if (bytes === undefined)
    return recorder.notPerformed("event log", "no event log was given: what the RTMRs are made of is not shown");
  const log = recorder.attempt("event log format", "EVIDENCE_MALFORMED", "a TCG event log", () => parseEventLog(bytes));
  if (log === null) return;
  try {
    const replayed = await replay(crypto, log, "sha384", "cc");
    const different = rtmrs.flatMap((value, index) => {
      const register = replayed.get(index + 1);
      const counts = index < FIRMWARE_RTMRS || (register?.extended ?? 0) > 0;
      return !counts || (register !== undefined && bytesEqual(register.value, value)) ? [] : [`RTMR${index}`];
    });
    if (
      !recorder.require("event log", different.length === 0, "EVIDENCE_EVENT_LOG_MISMATCH", {
        passed: `${log.events.length} events lead to the signed RTMRs`,
        failed: `the events do not lead to the signed ${different.join(", ")}`,
      })
    )
      return;
    appraiseSeparators(recorder, await bootEvents(crypto, log, "sha384", "cc"), policy);
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "EVIDENCE_EVENT_LOG_MISMATCH", "the event log cannot be replayed");
    recorder.fail("event log", code, message);
  }
}

function appraiseSeparators(recorder: CheckRecorder, { separators }: BootEvents, policy: TdxPolicy["event_log"]): void {
  const states = separators.map(({ register, state }) => ({ rtmr: register - 1, state }));
  const shown = (some: typeof states): string => some.map(({ rtmr, state }) => `RTMR${rtmr} ${state}`).join(", ");
  if (policy.separators.length === 0)
    return recorder.notPerformed("event log separators", `separator: ${shown(states)}; the policy does not ask`);
  const wrong = states.filter(({ rtmr, state }) => policy.separators.includes(rtmr) && state !== "once");
  recorder.require("event log separators", wrong.length === 0, "EVIDENCE_EVENT_LOG_MISMATCH", {
    passed: `one separator in each of RTMR ${policy.separators.join(", ")}`,
    failed: `separator: ${shown(wrong)}`,
  });
}
