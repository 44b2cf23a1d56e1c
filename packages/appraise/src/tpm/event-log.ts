import { asCmcpError, bytesEqual } from "@cmcp/boundary";
import type { CheckRecorder } from "../checks/check.ts";
import type { Checking } from "../checks/checking.ts";
import { BANKS } from "../event-log/hash-algorithm.ts";
import {
  bootEvents,
  loggedDigests,
  parseEventLog,
  replay,
  type BootEvents,
  type EventLog,
  type LoggedDigests,
} from "../event-log/index.ts";
import type { QuotePolicy } from "./policy.ts";
import type { ProvenRegisters } from "./registers.ts";
import type { QuotedBank } from "./selection.ts";

/** The banks a quote is over, and what its digest proves of their registers; `null` where it proves none. */
export interface QuotedRegisters {
  readonly banks: readonly QuotedBank[];
  readonly proven: ProvenRegisters | null;
}

/**
 * Replays a boot log against registers that a quote proved, in each quoted bank, and looks at what firmware measured.
 * Events are looked at only once the replay holds: before, a log is a story.
 * @returns the digests that went into the registers, of the first quoted bank; `null` when nothing shows them
 */
export async function checkEventLog(
  checking: Checking,
  { banks, proven }: QuotedRegisters,
  bytes: Uint8Array | undefined,
  policy: QuotePolicy["event_log"],
): Promise<LoggedDigests | null> {
  const { crypto, recorder } = checking;
  const check = "event log";
  const [first] = banks;
  const notPerformed = (why: string): null => {
    recorder.notPerformed(check, why);
    return null;
  };
  if (bytes === undefined) return notPerformed("no event log was given: what the registers are made of is not shown");
  if (first === undefined) return notPerformed("the quote is not over registers that are accepted");
  if (proven === null) return notPerformed("there are no register values to compare with");
  const log = recorder.attempt("event log format", "EVIDENCE_MALFORMED", "a TCG boot log", () => parseEventLog(bytes));
  if (log === null) return null;
  try {
    for (const quoted of banks) if (!(await checkReplay(checking, { log, quoted, proven }, policy))) return null;
    appraiseBoot(recorder, await bootEvents(crypto, log, first.bank, "pcr"), policy);
    return loggedDigests(log, first.bank);
  } catch (thrown) {
    const { code, message } = asCmcpError(thrown, "EVIDENCE_EVENT_LOG_MISMATCH", "the event log cannot be replayed");
    recorder.fail(check, code, message);
    return null;
  }
}

/** A log, and the registers of one bank that it has to lead to. */
interface Replay {
  readonly log: EventLog;
  readonly quoted: QuotedBank;
  readonly proven: ProvenRegisters;
}

async function checkReplay(
  { crypto, recorder }: Checking,
  { log, quoted: { bank, registers }, proven }: Replay,
  policy: QuotePolicy["event_log"],
): Promise<boolean> {
  const replayed = await replay(crypto, log, bank, "pcr");
  const compared = registers.filter((register) => !policy.extended_later.includes(register));
  const different = compared.filter(
    (register) =>
      !bytesEqual(
        replayed.get(register)?.value ?? new Uint8Array(),
        proven.get(BANKS[bank].id)?.get(register) ?? new Uint8Array(),
      ),
  );
  const left = registers.length - compared.length;
  const passed = `${log.events.length} events lead to ${compared.length} quoted ${bank} registers${left === 0 ? "" : `; ${left} that the running system extends were not compared`}`;
  return recorder.require("event log", different.length === 0, "EVIDENCE_EVENT_LOG_MISMATCH", {
    passed: passed,
    failed: `the events do not lead to the quoted ${bank} PCR ${different.join(", ")}`,
  });
}

function appraiseBoot(
  recorder: CheckRecorder,
  { separators, exitBootServices, secureBoot }: BootEvents,
  policy: QuotePolicy["event_log"],
): void {
  const wrong = separators
    .filter(({ register, state }) => policy.separators.includes(register) && state !== "once")
    .map(({ register, state }) => `PCR ${register} ${state}`);
  recorder.require("event log separators", wrong.length === 0, "EVIDENCE_EVENT_LOG_MISMATCH", {
    passed: `one separator in each of PCR ${policy.separators.join(", ")}`,
    failed: `separator: ${wrong.join(", ")}`,
  });
  const end = `exit of boot services: ${exitBootServices}`;
  if (policy.exit_boot_services)
    recorder.require("boot services", exitBootServices === "returned", "EVIDENCE_EVENT_LOG_MISMATCH", {
      passed: end,
      failed: end,
    });
  else recorder.notPerformed("boot services", `${end}; the policy does not ask`);
  const secure = `secure boot: ${secureBoot}`;
  if (policy.secure_boot === "required")
    recorder.require("secure boot", secureBoot === "enabled", "EVIDENCE_POLICY_VIOLATION", {
      passed: secure,
      failed: secure,
    });
  else recorder.notPerformed("secure boot", `${secure}; the policy does not ask`);
}
