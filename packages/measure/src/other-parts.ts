import { utf16WithNul } from "./bytes/text.ts";
import { INITRD_ARGUMENTS, loadOptions } from "./boot/direct-kernel.ts";
import { digestPair } from "./boot/event.ts";
import type { Measurements } from "./measurements.ts";

/** A part of what a machine started that is not an accepted image's. */
export interface OtherPart {
  readonly part: "kernel" | "command line" | "initramfs";
  readonly why: string;
}

/** Value of a register that nothing extended. */
const NOTHING = /^0*$/;

/**
 * The parts that a machine with a TPM started and no accepted image has, where it was started from kernel, initramfs and
 * command line. Its boot stub logs the last two one by one (PCR 9), so that each can be told from the other.
 * @param values registers by name, lowercase hex
 * @param logged what a replayed event log says went into them; without it only kernels are told apart
 * @returns nothing for a unified kernel image, which is measured as a whole
 */
export function otherParts(
  { accepted, image }: Measurements,
  values: Readonly<Record<string, string>>,
  logged: Readonly<Record<string, readonly string[]>>,
): OtherPart[] {
  const launches = accepted.flatMap((entry) =>
    entry.platform === "tpm" &&
    entry.shape.boot === "kernel" &&
    entry.registers.pcr4[0]?.length === values["pcr4"]?.length
      ? [entry]
      : [],
  );
  if (launches.length === 0 || !NOTHING.test(values["pcr11"] ?? "")) return [];
  const found: OtherPart[] = [];
  if (!launches.some(({ registers }) => registers.pcr4.includes(values["pcr4"] ?? "")))
    found.push({ part: "kernel", why: `PCR 4 is ${values["pcr4"]}, which is of no accepted kernel` });
  const { pcr9 } = logged;
  if (pcr9 === undefined) return found;
  const bank = launches[0]?.shape.bank ?? "sha256";
  const options = launches.flatMap(({ command_line: commandLine }) =>
    commandLine === null
      ? []
      : INITRD_ARGUMENTS.map((initrdArgument) => loadOptions({ commandLine, initrd: digestPair(), initrdArgument })),
  );
  const commandLines = options.map((text) => Buffer.from(digestPair(utf16WithNul(text))[bank]).toString("hex"));
  if (!pcr9.some((digest) => commandLines.includes(digest)))
    found.push({ part: "command line", why: "the boot stub measured another command line than an accepted one" });
  const initramfs = image.files.filter(({ role }) => role === "initrd").map((file) => file.sha256);
  if (bank === "sha256" && initramfs.length > 0 && !pcr9.some((digest) => initramfs.includes(digest)))
    found.push({ part: "initramfs", why: `the boot stub measured another initramfs than ${initramfs.join(", ")}` });
  return found;
}
