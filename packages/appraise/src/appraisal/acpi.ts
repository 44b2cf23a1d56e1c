import type { CheckRecorder } from "../checks/check.ts";

/** How an accepted image was launched, as far as its measurement says. */
export interface MeasuredLaunch {
  /** The kernel's command line; `null` when the measurement names none. */
  readonly commandLine: string | null;
  /** Virtual processors; `null` when the measurement names no number. */
  readonly vcpus: number | null;
}

/**
 * Whether a kernel of this command line reads no ACPI tables: `acpi=off`, and no later or earlier `acpi=force`, which turns
 * them on again. Quoted values are one word, and what stands after `--` is init's (Linux, admin-guide/kernel-parameters).
 */
function turnsAcpiOff(commandLine: string): boolean {
  const words = commandLine.replaceAll(/"[^"]*(?:"|$)/g, '""').split(/\s+/);
  const end = words.indexOf("--");
  const own = end === -1 ? words : words.slice(0, end);
  return own.includes("acpi=off") && !own.includes("acpi=force");
}

/**
 * Records `ACPI unconstrained` as not performed where the host's ACPI tables may reach the kernel of a SEV-SNP guest: they hold
 * code that the kernel runs, and no measurement covers them. Another processor cannot be found without such tables.
 */
export function recordAcpiCheck(recorder: CheckRecorder, { commandLine, vcpus }: MeasuredLaunch): void {
  const reasons = [
    ...(commandLine === null
      ? ["no command line is measured"]
      : turnsAcpiOff(commandLine)
        ? []
        : ["the measured command line has no acpi=off"]),
    ...(vcpus === 1
      ? []
      : [vcpus === null ? "no number of processors is measured" : `${vcpus} processors are measured, not one`]),
  ];
  if (reasons.length > 0)
    recorder.notPerformed(
      "ACPI unconstrained",
      `warning: ${reasons.join(", and ")}: tables of the host hold code the kernel may run, and nothing measures or judges them`,
    );
}
